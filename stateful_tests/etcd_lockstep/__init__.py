"""The harness checks that they agree: sequences of operations in lockstep on every target, and a list of the findings.

`LockstepMachine` is the state machine for users' own tests; `find_divergences`, `assert_matches_etcd` and `replay`
run the search and the corpus from Python, `check_history` the checker of concurrent histories (`histories`), and
`trace_of` makes a trace of a session on the fake. Names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etcd_lockstep.api import (
        AcceptedFindingGone,
        assert_matches_etcd,
        assert_trace_matches,
        check_history,
        find_divergences,
        replay,
    )
    from etcd_lockstep.journal_trace import RecordedSession, trace_of
    from etcd_lockstep.machine import LockstepMachine
    from etcd_lockstep.searching.findings import DivergenceFound, Finding
    from etcd_lockstep.target import NotExpressible, Target, TargetDied
    from etcd_lockstep.targets.etcd3_mock import Etcd3Mock

    __version__: str

__all__ = [
    "AcceptedFindingGone",
    "DivergenceFound",
    "Etcd3Mock",
    "Finding",
    "LockstepMachine",
    "NotExpressible",
    "RecordedSession",
    "Target",
    "TargetDied",
    "__version__",
    "assert_matches_etcd",
    "assert_trace_matches",
    "check_history",
    "find_divergences",
    "replay",
    "trace_of",
]

_MODULES = {
    "AcceptedFindingGone": "api",
    "DivergenceFound": "searching.findings",
    "Etcd3Mock": "targets.etcd3_mock",
    "Finding": "searching.findings",
    "LockstepMachine": "machine",
    "NotExpressible": "target",
    "RecordedSession": "journal_trace",
    "Target": "target",
    "TargetDied": "target",
    "assert_matches_etcd": "api",
    "assert_trace_matches": "api",
    "check_history": "api",
    "find_divergences": "api",
    "replay": "api",
    "trace_of": "journal_trace",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("etcd-lockstep")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
