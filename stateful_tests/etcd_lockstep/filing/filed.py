"""The corpus files of one run: each finding is filed as soon as it is made."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from etcd_lockstep.filing.corpus import file_name, save
from etcd_lockstep.searching.findings import Finding


class FiledFindings:
    """The corpus files of the findings of a run, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, Path] = {}
        """By `file_name`: what has been written."""
        self._found_with: dict[str, str] = {}

    def file(self, finding: Finding, etcd: str) -> None:
        """Write the file of a finding; `etcd` says which one took part, as `entry` has it. One that can't be written is
        tried again by `file_the_rest`."""
        self._found_with[file_name(finding)] = etcd
        with suppress(OSError):
            self._save(finding)

    def file_the_rest(self, findings: Sequence[Finding]) -> list[str]:
        """File those that couldn't be filed when they were made. Returns why not, for each that still can't be."""
        unfiled = []
        for finding in findings:
            if file_name(finding) not in self.files:
                try:
                    self._save(finding)
                except OSError as error:
                    unfiled.append(f"{self.folder / file_name(finding)} can't be written: {error.strerror}")
        return unfiled

    def _save(self, finding: Finding) -> None:
        self.files[file_name(finding)] = save(finding, self.folder, self._found_with.get(file_name(finding), "none"))
