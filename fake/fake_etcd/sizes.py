"""How large a request may be (etcd: server/etcdserver/v3_server.go, api/v3rpc/grpc.go)."""

from google.protobuf.message import Message

from fake_etcd.errors import frame_too_large

MAX_REQUEST_BYTES = 1_572_864
"""The default of etcd's --max-request-bytes, which holds for a write's raft entry: the request and an envelope."""

FRAME_OVERHEAD_BYTES = 512 * 1024
"""What the server receives at all is this much longer (etcd: server/etcdserver/api/v3rpc/grpc.go grpcOverheadBytes)."""

MAX_FRAME_BYTES = MAX_REQUEST_BYTES + FRAME_OVERHEAD_BYTES
"""The longest message that etcd receives at all, by default."""


def frame_size(request: Message, limit: int) -> int:
    """The request's size, if gRPC would deliver it at all to a server with this limit."""
    size = request.ByteSize()
    if size > limit:
        raise frame_too_large(size, limit)
    return size
