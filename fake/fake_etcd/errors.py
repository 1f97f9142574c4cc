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


def frame_too_large(size: int, limit: int) -> EtcdError:
    """What gRPC itself answers to a message that is longer than the server receives."""
    return EtcdError(StatusCode.RESOURCE_EXHAUSTED, f"grpc: received message larger than max ({size} vs. {limit})")


def would_crash(version: str, why: str) -> EtcdError:
    """The fake's own answer where a real server dies."""
    message = f"fake-etcd: a real etcd {version} would crash on this request: {why}"
    return EtcdError(StatusCode.INTERNAL, message)


def not_implemented(path: str, known: bool) -> EtcdError:
    """The fake's own answer to a method that it doesn't have."""
    reason = "is not implemented by this fake yet" if known else "is not a method of etcd's API"
    return EtcdError(StatusCode.UNIMPLEMENTED, f"fake-etcd: {path} {reason}")
