"""Whether a candidate for a shorter trace shows the same."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from etcd_lockstep.trace import Trace


class Verdict(Enum):
    """What a candidate shows at its last step."""

    NOTHING = auto()
    NEW = auto()
    """What the trace to be shrunk shows."""
    KNOWN = auto()
    """The same to look at, but a lie found before explains it."""


Judge = Callable[[Trace], Verdict]


class ShownByKnown(Exception):
    """A simpler trace of the same kind shows a lie that is known: so there is no new one."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace
        """What had been reached by then."""


class Acceptance:
    """Says of candidates whether they show the same, and raises `ShownByKnown` where a known lie explains one."""

    def __init__(self, judge: Judge, trace: Trace) -> None:
        self._judge = judge
        self._accepted = trace

    def __call__(self, candidate: Trace, *, faithful: bool = True) -> bool:
        """`faithful`: whether a known lie in the candidate is one in the trace, too, which is then no new one."""
        verdict = self._judge(candidate)
        if verdict is Verdict.KNOWN and faithful:
            raise ShownByKnown(self._accepted)
        if verdict is Verdict.NEW:
            self._accepted = candidate
        return verdict is Verdict.NEW
