"""The model says what etcd does: operations and results as data, and the semantics as a pure function."""

from etcd_model.crashing import crash_reason
from etcd_model.errors import Code, Error
from etcd_model.nondeterministic import nondeterminism
from etcd_model.operations import Operation
from etcd_model.quirks import DEFAULT_VERSION, Quirks, quirks_of
from etcd_model.results import Result
from etcd_model.state import Server, State
from etcd_model.step import step

__all__ = [
    "DEFAULT_VERSION",
    "Code",
    "Error",
    "Operation",
    "Quirks",
    "Result",
    "Server",
    "State",
    "crash_reason",
    "nondeterminism",
    "quirks_of",
    "step",
]
