"""How large a request may be (etcd: server/etcdserver/v3_server.go, api/v3rpc/grpc.go)."""

from google.protobuf.message import Message

from fake_etcd.errors import frame_too_large

MAX_REQUEST_BYTES = 1_572_864
"""etcd's --max-request-bytes, which holds for a write's raft entry: the request and an envelope around it."""

MAX_FRAME_BYTES = MAX_REQUEST_BYTES + 512 * 1024
"""The longest message that etcd receives at all (etcd: server/etcdserver/api/v3rpc/grpc.go grpcOverheadBytes)."""


def frame_size(request: Message) -> int:
    """The request's size, if gRPC would deliver it at all."""
    size = request.ByteSize()
    if size > MAX_FRAME_BYTES:
        raise frame_too_large(size, MAX_FRAME_BYTES)
    return size
