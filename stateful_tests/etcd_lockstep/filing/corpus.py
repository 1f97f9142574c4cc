"""The corpus: one JSON file for each lie found, replayed on every run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etcd_lockstep.filing.bad_file import BadFile as BadFile  # which is named from here as well
from etcd_lockstep.filing.notation import BadNotation, Json, answer_to_json, operation_from_json, to_json
from etcd_lockstep.filing.writing import write_whole
from etcd_lockstep.names import name_of
from etcd_lockstep.searching.findings import Finding, Signature
from etcd_lockstep.servers.settings import TOKEN_KINDS
from etcd_lockstep.trace import Trace

FORMAT = 1
"""The version of the file's format. A file of a newer one is refused, never guessed at."""


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """What a corpus file holds that a replay needs."""

    path: Path
    name: str
    signature: Signature
    """What was seen at the last step, and of whom."""
    trace: Trace
    note: str = ""
    """As in `Finding`."""
    tokens: str = ""
    """As in `Finding`."""
    over_quota: bool = False
    """Whether it is to be replayed on a server that is over its quota from the start."""


def entry(finding: Finding, etcd: str) -> Json:
    """A lie as the content of its file. `etcd` says which etcd took part, as `etcd 3.5.1, …` or `none`."""
    return {
        "format": FORMAT,
        "name": finding.fingerprint,
        "odd_one_out": finding.odd_one_out,
        "found_with": etcd,
        "step": len(finding.trace),
        "operation": finding.signature.operation,
        "field": finding.signature.field,
        "difference": finding.signature.kind,
        **({"note": finding.note} if finding.note else {}),
        **({"over_quota": True} if finding.over_quota else {}),
        **({"tokens": finding.tokens} if finding.tokens else {}),
        "trace": [to_json(operation) for operation in finding.trace],
        "answers": answers(finding),
    }


RECORDED = "recorded"
"""The `difference` of a file that reports no lie: it holds a session, in which nobody may differ anywhere."""


def save_trace(trace: Trace, path: Path | str) -> None:
    """Write a trace, such as that of a recorded session, as a file that is replayed. Raises `OSError`.

    ValueError where the trace is empty.
    """
    if not trace:
        raise ValueError("the trace is empty: there is nothing to replay")
    content = {
        "format": FORMAT,
        "name": f"session of {len(trace)} steps",
        "odd_one_out": "none",
        "found_with": "none",
        "step": len(trace),
        "operation": name_of(trace[-1]),
        "field": "none",
        "difference": RECORDED,
        "trace": [to_json(operation) for operation in trace],
    }
    write_whole(Path(path), _pretty(content))


def answers(finding: Finding) -> Mapping[str, Any]:
    """What each target said to the last operation, as JSON."""
    return {name: answer_to_json(observation) for name, observation in finding.answers.items()}


def file_name(finding: Finding) -> str:
    """From the target and the lie's own name, the same in every run: `slot-mock-range-kvs-missing-3f2a91.json`."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{finding.odd_one_out} {finding.signature}".lower()).strip("-")[:80]
    digest = hashlib.sha256(f"{finding.odd_one_out} {finding.fingerprint}".encode()).hexdigest()[:6]
    return f"{words}-{digest}.json"


def save(finding: Finding, folder: Path, etcd: str) -> Path:
    """Write the lie's file into the folder, which is made if it isn't there. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(finding)
    write_whole(path, _pretty(entry(finding, etcd)), follow_links=False)  # where it leads is nobody's corpus
    return path


def _pretty(content: Json) -> str:
    """One step and one answer a line, so that a difference between two files can be read."""
    lines = []
    for key, value in content.items():
        if key == "trace":
            steps = ",\n    ".join(json.dumps(step) for step in value)
            lines.append(f'  "trace": [\n    {steps}\n  ]')
        elif key == "answers":
            reported = ",\n    ".join(f"{json.dumps(name)}: {json.dumps(answer)}" for name, answer in value.items())
            lines.append(f'  "answers": {{\n    {reported}\n  }}')
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def load(path: Path) -> CorpusFile:
    """Read a file. Raises `BadFile`, which names the line."""
    text, content = read_object(path, "a corpus file")
    lines = _Lines(text)
    check_format(content, f"{path}:{lines.of('format')}", "a corpus file")
    try:
        finding = parse_entry(content)
    except BadEntry as error:
        line = lines.of_step(error.step) if error.step else lines.of(error.key)
        raise BadFile(f"{path}:{line}: {error}") from error
    if not isinstance(content.get("name"), str):
        raise BadFile(f"{path}:{lines.of('name')}: 'name' is missing, or not a str")
    note = content.get("note", "")
    return CorpusFile(
        path, content["name"], finding.signature, finding.trace, str(note), finding.tokens, finding.over_quota
    )


def read_object(path: Path, what: str) -> tuple[str, Json]:
    """The text of a file, and the JSON object in it; `what` the file should be. Raises `BadFile`."""
    try:
        if path.exists() and not (
            path.is_file() or path.is_dir()
        ):  # a pipe would be waited for, and a device has no end
            raise BadFile(f"{path}: can't be read: not a regular file")
        held = path.read_bytes()
    except OSError as error:
        raise BadFile(f"{path}: can't be read: {error.strerror}") from error
    try:
        text = held.decode()
    except UnicodeDecodeError as error:
        line = held.count(b"\n", 0, error.start) + 1
        raise BadFile(f"{path}:{line}: not UTF-8") from error
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadFile(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    except ValueError as error:  # a number of thousands of digits
        raise BadFile(f"{path}:1: can't be read: {error}") from error
    except RecursionError as error:
        raise BadFile(f"{path}:1: nested too deep to be read") from error
    if not isinstance(content, dict):
        raise BadFile(f"{path}:1: not {what}: it holds no object")
    return text, content


def check_format(content: Json, where: str, what: str) -> None:
    """Raises `BadFile` unless the object is of a format that this release reads."""
    version = content.get("format")
    if isinstance(version, str) and version.startswith("etcd-lockstep"):
        raise BadFile(f"{where}: not {what}, but of {version!r}: stress --replay reads what `stress` found")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BadFile(f"{where}: not {what}: it has no format version")
    if version > FORMAT:
        raise BadFile(
            f"{where}: format {version} is newer than this etcd-lockstep, which reads up to {FORMAT}: upgrade it"
        )


class BadEntry(ValueError):
    """What is wrong with one finding of a file, in one line; which key it is, and which step of the trace."""

    def __init__(self, reason: str, key: str, step: int = 0) -> None:
        super().__init__(reason)
        self.key = key
        self.step = step


def parse_entry(content: Json) -> Finding:
    """The finding that `entry` wrote, without its answers.

    Raises `BadEntry`.
    """
    words = ("odd_one_out", "operation", "field", "difference")
    for key, kind in (*((word, str) for word in words), ("trace", list)):
        if not isinstance(content.get(key), kind):
            raise BadEntry(f"{key!r} is missing, or not a {kind.__name__}", key)
    steps = content["trace"]
    if not steps:
        raise BadEntry("the trace is empty", "trace")
    trace = []
    for step, operation in enumerate(steps, 1):
        try:
            trace.append(operation_from_json(operation, step))
        except BadNotation as error:
            raise BadEntry(f"step {step}: {error}", "trace", step) from error
        except RecursionError as error:
            raise BadEntry(f"step {step}: nested too deep to be read", "trace", step) from error
    over_quota = content.get("over_quota", False)
    if not isinstance(over_quota, bool):
        raise BadEntry("'over_quota' is not true or false", "over_quota")
    tokens = content.get("tokens", "")
    if tokens not in ("", *TOKEN_KINDS):
        raise BadEntry(f"'tokens' is one of {', '.join(TOKEN_KINDS)}", "tokens")
    seen = Signature(*(content[word] for word in words))
    return Finding(seen, tuple(trace), {}, (), over_quota=over_quota, tokens=tokens)


class _Lines:
    """In which lines the values of a file's object stand, and the elements of its trace."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._decoder = json.JSONDecoder()
        self._starts: dict[str, int] = {}
        position = self._skip(text.index("{") + 1)
        while text[position] == '"':
            key, position = self._decoder.raw_decode(text, position)
            position = self._skip(position)
            self._starts[key] = position
            _value, position = self._decoder.raw_decode(text, position)
            position = self._skip(position)

    def _skip(self, position: int) -> int:
        match = re.compile(r"[\s,:]*").match(self._text, position)
        assert match is not None
        return match.end()

    def _line(self, position: int) -> int:
        return self._text.count("\n", 0, position) + 1

    def of(self, key: str) -> int:
        return self._line(self._starts.get(key, 0))

    def of_step(self, step: int) -> int:
        position = self._skip(self._starts["trace"] + 1)
        for _ in range(step - 1):
            _value, position = self._decoder.raw_decode(self._text, position)
            position = self._skip(position)
        return self._line(position)
