"""The model says what etcd does: operations and results as data, and the semantics as a pure function."""

from etcd_model.errors import Code, Error
from etcd_model.lethal import lethal
from etcd_model.operations import Operation
from etcd_model.quirks import DEFAULT_VERSION, Quirks, quirks_of
from etcd_model.results import Result
from etcd_model.state import Server, State
from etcd_model.step import step
from etcd_model.undetermined import undetermined

__all__ = [
    "DEFAULT_VERSION",
    "Code",
    "Error",
    "Operation",
    "Quirks",
    "Result",
    "Server",
    "State",
    "lethal",
    "quirks_of",
    "step",
    "undetermined",
]
