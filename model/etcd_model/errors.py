"""etcd's errors as values: a gRPC status code and the exact message (etcd api/v3rpc/rpctypes/error.go)."""

from dataclasses import dataclass
from enum import IntEnum


class Code(IntEnum):
    """gRPC status codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Error:
    """A definite refusal: the operation had no effect."""

    code: Code
    message: str


EMPTY_KEY = Error(Code.INVALID_ARGUMENT, "etcdserver: key is not provided")
KEY_NOT_FOUND = Error(Code.INVALID_ARGUMENT, "etcdserver: key not found")
VALUE_PROVIDED = Error(Code.INVALID_ARGUMENT, "etcdserver: value is provided")
LEASE_PROVIDED = Error(Code.INVALID_ARGUMENT, "etcdserver: lease is provided")
TOO_MANY_OPS = Error(Code.INVALID_ARGUMENT, "etcdserver: too many operations in txn request")
DUPLICATE_KEY = Error(Code.INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request")
INVALID_SORT_OPTION = Error(Code.INVALID_ARGUMENT, "etcdserver: invalid sort option")
COMPACTED = Error(Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted")
FUTURE_REVISION = Error(Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision")
LEASE_NOT_FOUND = Error(Code.NOT_FOUND, "etcdserver: requested lease not found")
LEASE_EXIST = Error(Code.FAILED_PRECONDITION, "etcdserver: lease already exists")
LEASE_TTL_TOO_LARGE = Error(Code.OUT_OF_RANGE, "etcdserver: too large lease TTL")
