"""etcd's errors: a code and a message, one line an error (etcd: api/v3rpc/rpctypes/error.go)."""

from functools import partial

from grpc import StatusCode


class EtcdError(Exception):
    """A request that etcd refuses: the gRPC status it is refused with."""

    def __init__(self, code: StatusCode, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"


EmptyKey = partial(EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: key is not provided")
KeyNotFound = partial(EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: key not found")
ValueProvided = partial(EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: value is provided")
LeaseProvided = partial(EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: lease is provided")
TooManyOps = partial(EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: too many operations in txn request")
DuplicateKey = partial(EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request")
InvalidSort = partial(EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: invalid sort option")
TooLarge = partial(EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: request is too large")
Compacted = partial(EtcdError, StatusCode.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted")
FutureRev = partial(EtcdError, StatusCode.OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision")
LeaseNotFound = partial(EtcdError, StatusCode.NOT_FOUND, "etcdserver: requested lease not found")
LeaseExist = partial(EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: lease already exists")
LeaseTTLTooLarge = partial(EtcdError, StatusCode.OUT_OF_RANGE, "etcdserver: too large lease TTL")

NoSpace = partial(EtcdError, StatusCode.RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded")
BadLeaderTransferee = partial(EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: bad leader transferee")
MemberNotFound = partial(EtcdError, StatusCode.NOT_FOUND, "etcdserver: member not found")
MemberBadURLs = partial(EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: given member URLs are invalid")
MemberNotLearner = partial(EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: can only promote a learner member")
LearnerNotReady = partial(
    EtcdError,
    StatusCode.FAILED_PRECONDITION,
    "etcdserver: can only promote a learner member which is in sync with leader",
)
TooManyLearners = partial(EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: too many learner members in cluster")
PeerURLExist = partial(EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: Peer URLs already exists")
NotEnoughStarted = partial(
    EtcdError, StatusCode.UNKNOWN, "etcdserver: re-configuration failed due to not enough started members"
)
Unhealthy = partial(EtcdError, StatusCode.UNAVAILABLE, "etcdserver: unhealthy cluster")
WrongDowngradeVersionFormat = partial(
    EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: wrong downgrade target version format"
)
InvalidDowngradeTargetVersion = partial(
    EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: invalid downgrade target version"
)
DowngradeInProcess = partial(
    EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: cluster has a downgrade job in progress"
)
NoInflightDowngrade = partial(EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: no inflight downgrade job")
Corrupt = partial(EtcdError, StatusCode.DATA_LOSS, "etcdserver: corrupt cluster")

RootUserNotExist = partial(EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: root user does not exist")
RootRoleNotExist = partial(EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: root user does not have root role")
UserAlreadyExist = partial(EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: user name already exists")
UserEmpty = partial(EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: user name is empty")
UserNotFound = partial(EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: user name not found")
RoleAlreadyExist = partial(EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: role name already exists")
RoleNotFound = partial(EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: role name not found")
RoleEmpty = partial(EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: role name is empty")
AuthFailed = partial(
    EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: authentication failed, invalid user ID or password"
)
NoPasswordUser = partial(
    EtcdError, StatusCode.UNKNOWN, "auth: authentication failed, password was given for no password user"
)
PasswordTooLong = partial(EtcdError, StatusCode.UNKNOWN, "bcrypt: password length exceeds 72 bytes")
PermissionNotGiven = partial(EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: permission not given")
PermissionDenied = partial(EtcdError, StatusCode.PERMISSION_DENIED, "etcdserver: permission denied")
RoleNotGranted = partial(EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: role is not granted to the user")
PermissionNotGranted = partial(
    EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: permission is not granted to the role"
)
AuthNotEnabled = partial(EtcdError, StatusCode.FAILED_PRECONDITION, "etcdserver: authentication is not enabled")
InvalidAuthToken = partial(EtcdError, StatusCode.UNAUTHENTICATED, "etcdserver: invalid auth token")
AuthOldRevision = partial(EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: revision of auth store is old")
AuthOldRevisionUnmapped = partial(EtcdError, StatusCode.UNKNOWN, "auth: revision in header is old")
VerifyOnly = partial(EtcdError, StatusCode.UNKNOWN, "auth: token signing attempted with verify-only key")
InvalidAuthMgmt = partial(EtcdError, StatusCode.INVALID_ARGUMENT, "etcdserver: invalid auth management")


def frame_too_large(size: int, limit: int) -> EtcdError:
    """What gRPC itself answers to a message that is longer than the server receives."""
    return EtcdError(StatusCode.RESOURCE_EXHAUSTED, f"grpc: received message larger than max ({size} vs. {limit})")


def would_crash(version: str, why: str) -> EtcdError:
    """The fake's own answer where a real server dies."""
    message = f"fake-etcd: a real etcd {version} would crash on this request: {why}"
    return EtcdError(StatusCode.INTERNAL, message)


def unknown_method(path: str) -> EtcdError:
    """What gRPC answers to a method that the release doesn't have yet."""
    service, _, method = path[1:].rpartition("/")
    return EtcdError(StatusCode.UNIMPLEMENTED, f"unknown method {method} for service {service}")


def internal_error(error: Exception) -> EtcdError:
    """The fake's own answer where it is at fault."""
    return EtcdError(StatusCode.INTERNAL, f"fake-etcd: internal error: {type(error).__name__}: {error}")
