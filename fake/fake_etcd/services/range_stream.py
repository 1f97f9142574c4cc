"""RangeStream, of the KV service: a Range in chunks, since 3.7."""

from collections.abc import Generator, Iterator, Mapping

from grpc import StatusCode

from fake_etcd import permissions, ranges
from fake_etcd.errors import EtcdError, unknown_method
from fake_etcd.services.service import Service, StepsHandler
from fake_etcd.sizes import frame_size
from fake_etcd.wire import messages as pb

_PATH = "/etcdserverpb.KV/RangeStream"

_NONE = pb.RangeRequest.SortOrder.Value("NONE")
_ASCEND = pb.RangeRequest.SortOrder.Value("ASCEND")
_KEY = pb.RangeRequest.SortTarget.Value("KEY")

_FIRST_CHUNK = 10
"""etcd: server/etcdserver/v3_server.go initialStreamChunkLimit."""

_UNLIMITED = 2**63 - 1


class RangeStream(Service):
    """etcd: server/etcdserver/v3_server.go RangeStream."""

    def streams(self) -> Mapping[str, StepsHandler]:
        return {_PATH: self.range_stream}

    def range_stream(self, request: pb.RangeRequest, token: str) -> Generator[pb.RangeStreamResponse, None, None]:
        """All chunks are of the state at the call."""
        core = self.core
        if not core.quirks.range_streams:
            raise unknown_method(_PATH)
        frame_size(request, core.settings.max_frame_bytes)
        ranges.check_range(request, core.quirks)
        _check_streamable(request)
        if token or core.auth.enabled:
            permissions.check_read(core.auth, token, request)
        ranges.check_revision(core.store, request.revision)
        chunks = list(self._chunks(request))
        yield from (pb.RangeStreamResponse(range_response=chunk) for chunk in chunks)

    def _chunks(self, request: pb.RangeRequest) -> Iterator[pb.RangeResponse]:
        """Only the last has a header, a count and `more`. A chunk is sorted for itself, where a target asks for it.

        etcd: rangeStream, adjustChunkLimit.
        """
        core = self.core
        limit, max_bytes = request.limit or _UNLIMITED, core.settings.max_request_bytes
        part = pb.RangeRequest()
        part.CopyFrom(request)
        part.limit = min(_FIRST_CHUNK, limit)
        sent = 0
        while True:
            chunk = ranges.answer_range(core.store, part, core.quirks)
            sent += len(chunk.kvs)
            size = chunk.ByteSize()
            next_key = chunk.kvs[-1].key + b"\0" if chunk.more else b""
            if not chunk.more or sent == limit:
                core.fill(chunk.header)
                if not request.count_only:
                    chunk.count = sent + (self._count(request, next_key) if chunk.more else 0)
                yield chunk
                return
            chunk.ClearField("more")
            chunk.ClearField("count")
            yield chunk
            part.key = next_key
            if size < max_bytes // 2:
                part.limit *= 2
            elif size > max_bytes * 2:
                part.limit //= 2
            part.limit = min(max(1, part.limit), limit - sent)

    def _count(self, request: pb.RangeRequest, key: bytes) -> int:
        return len(self.core.store.scan(key, request.range_end, request.revision))


def _check_streamable(request: pb.RangeRequest) -> None:
    """etcd: server/etcdserver/api/v3rpc/key.go checkRangeStreamRequest."""
    if request.sort_order != _NONE and (request.sort_order, request.sort_target) != (_ASCEND, _KEY):
        raise EtcdError(StatusCode.UNIMPLEMENTED, "RangeStream does not support custom sort orders")
    if (
        request.min_mod_revision
        or request.max_mod_revision
        or request.min_create_revision
        or request.max_create_revision
    ):
        raise EtcdError(StatusCode.UNIMPLEMENTED, "RangeStream does not support revision filters")
