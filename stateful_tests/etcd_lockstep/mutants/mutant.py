"""A mutant as data, and what became of it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to one module."""

    module: str
    operator: str
    """cosmic-ray's name of what it does, such as `ReplaceComparisonOperator_Eq_NotEq`."""
    line: int
    """Where the changed lines begin, from 1."""
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def key(self) -> str:
        """What names it in files of results and of reasons."""
        return f"{self.module}:{self.line}: {' '.join(' '.join(self.after).split()) or 'removed'}"

    def source(self) -> str | None:
        """The module's source with the change; None where the source is no longer what was changed."""
        lines = source_path(self.module).read_text(encoding="utf-8").splitlines()
        end = self.line - 1 + len(self.before)
        if tuple(lines[self.line - 1 : end]) != self.before:
            return None
        return "\n".join([*lines[: self.line - 1], *self.after, *lines[end:]]) + "\n"


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a mutant."""

    mutant: Mutant
    by: str
    """What noticed it: `search`, `tests`, or that it can't be imported (`import`), makes a run fail
    (`crash`) or never end (`hang`); or `survived`."""
    seconds: float
    """Of the judge that noticed it, without the start of its process."""
    what: str = ""
    """What was seen: the failure signature of a finding, or the first failed test."""

    @property
    def survived(self) -> bool:
        return self.by == SURVIVED


def source_path(module: str) -> Path:
    """The file of a module, which is not imported for it. Raises ModuleNotFoundError."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"there is no module {module}")
    return Path(spec.origin)


def to_json(judged: Judged) -> dict[str, Any]:
    one = judged.mutant
    return {
        "module": one.module,
        "operator": one.operator,
        "line": one.line,
        "before": list(one.before),
        "after": list(one.after),
        "by": judged.by,
        "seconds": round(judged.seconds, 1),
        "what": judged.what,
    }


def from_json(held: dict[str, Any]) -> Judged:
    """Raises KeyError and TypeError for what `to_json` did not write."""
    before, after = tuple(held["before"]), tuple(held["after"])
    mutant = Mutant(held["module"], held["operator"], held["line"], before, after)
    return Judged(mutant, held["by"], held["seconds"], held["what"])
