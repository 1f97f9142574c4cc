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
TOO_LARGE = Error(Code.INVALID_ARGUMENT, "etcdserver: request is too large")
NO_SPACE = Error(Code.RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded")
CORRUPT = Error(Code.DATA_LOSS, "etcdserver: corrupt cluster")

ROOT_USER_NOT_EXIST = Error(Code.FAILED_PRECONDITION, "etcdserver: root user does not exist")
ROOT_ROLE_NOT_EXIST = Error(Code.FAILED_PRECONDITION, "etcdserver: root user does not have root role")
USER_ALREADY_EXIST = Error(Code.FAILED_PRECONDITION, "etcdserver: user name already exists")
USER_EMPTY = Error(Code.INVALID_ARGUMENT, "etcdserver: user name is empty")
USER_NOT_FOUND = Error(Code.FAILED_PRECONDITION, "etcdserver: user name not found")
ROLE_ALREADY_EXIST = Error(Code.FAILED_PRECONDITION, "etcdserver: role name already exists")
ROLE_NOT_FOUND = Error(Code.FAILED_PRECONDITION, "etcdserver: role name not found")
ROLE_EMPTY = Error(Code.INVALID_ARGUMENT, "etcdserver: role name is empty")
AUTH_FAILED = Error(Code.INVALID_ARGUMENT, "etcdserver: authentication failed, invalid user ID or password")
NO_PASSWORD_USER = Error(Code.UNKNOWN, "auth: authentication failed, password was given for no password user")
PERMISSION_NOT_GIVEN = Error(Code.INVALID_ARGUMENT, "etcdserver: permission not given")
PERMISSION_DENIED = Error(Code.PERMISSION_DENIED, "etcdserver: permission denied")
ROLE_NOT_GRANTED = Error(Code.FAILED_PRECONDITION, "etcdserver: role is not granted to the user")
PERMISSION_NOT_GRANTED = Error(Code.FAILED_PRECONDITION, "etcdserver: permission is not granted to the role")
AUTH_NOT_ENABLED = Error(Code.FAILED_PRECONDITION, "etcdserver: authentication is not enabled")
INVALID_AUTH_TOKEN = Error(Code.UNAUTHENTICATED, "etcdserver: invalid auth token")
AUTH_OLD_REVISION = Error(Code.INVALID_ARGUMENT, "etcdserver: revision of auth store is old")
AUTH_OLD_REVISION_UNMAPPED = Error(Code.UNKNOWN, "auth: revision in header is old")
INVALID_AUTH_MGMT = Error(Code.INVALID_ARGUMENT, "etcdserver: invalid auth management")
PASSWORD_TOO_LONG = Error(Code.UNKNOWN, "bcrypt: password length exceeds 72 bytes")

MEMBER_NOT_FOUND = Error(Code.NOT_FOUND, "etcdserver: member not found")
MEMBER_BAD_URLS = Error(Code.INVALID_ARGUMENT, "etcdserver: given member URLs are invalid")
MEMBER_NOT_LEARNER = Error(Code.FAILED_PRECONDITION, "etcdserver: can only promote a learner member")
LEARNER_NOT_READY = Error(
    Code.FAILED_PRECONDITION, "etcdserver: can only promote a learner member which is in sync with leader"
)
TOO_MANY_LEARNERS = Error(Code.FAILED_PRECONDITION, "etcdserver: too many learner members in cluster")
PEER_URL_EXISTS = Error(Code.FAILED_PRECONDITION, "etcdserver: Peer URLs already exists")
UNHEALTHY = Error(Code.UNAVAILABLE, "etcdserver: unhealthy cluster")
STREAM_ENDED = Error(Code.UNAVAILABLE, "the server ended the stream")
"""No answer of etcd's: what stands for the end of a stream on which a message was waited for."""
NOT_ENOUGH_STARTED = Error(Code.UNKNOWN, "etcdserver: re-configuration failed due to not enough started members")
BAD_LEADER_TRANSFEREE = Error(Code.FAILED_PRECONDITION, "etcdserver: bad leader transferee")
WRONG_DOWNGRADE_VERSION_FORMAT = Error(Code.INVALID_ARGUMENT, "etcdserver: wrong downgrade target version format")
INVALID_DOWNGRADE_TARGET_VERSION = Error(Code.INVALID_ARGUMENT, "etcdserver: invalid downgrade target version")
NO_INFLIGHT_DOWNGRADE = Error(Code.FAILED_PRECONDITION, "etcdserver: no inflight downgrade job")
CUSTOM_SORT_STREAMED = Error(Code.UNIMPLEMENTED, "RangeStream does not support custom sort orders")
REVISION_FILTERS_STREAMED = Error(Code.UNIMPLEMENTED, "RangeStream does not support revision filters")
UNKNOWN_METHOD = Error(Code.UNKNOWN, "etcdserver: unknown method")

NO_LEADER = Error(Code.UNKNOWN, "election: no leader")
NOT_LEADER = Error(Code.UNKNOWN, "election: not leader")
SESSION_EXPIRED = Error(Code.UNKNOWN, "mutex: session is expired")
MISSING_LEADER_KEY = Error(Code.UNKNOWN, '"leader" field must be provided')


def unimplemented(service: str, method: str) -> Error:
    """gRPC's own answer to a method that the server does not have."""
    return Error(Code.UNIMPLEMENTED, f"unknown method {method} for service {service}")


def unmapped(error: Error) -> Error:
    """An error of the auth store that etcd did not turn into a gRPC status: its own text, and no code
    (etcd server/auth/store.go)."""
    return _UNMAPPED[error]


_UNMAPPED = {
    USER_EMPTY: Error(Code.UNKNOWN, "auth: user name is empty"),
    PERMISSION_DENIED: Error(Code.UNKNOWN, "auth: permission denied"),
    INVALID_AUTH_TOKEN: Error(Code.UNKNOWN, "auth: invalid auth token"),
    USER_NOT_FOUND: Error(Code.UNKNOWN, "auth: user not found"),
}
