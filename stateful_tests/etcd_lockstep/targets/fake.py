"""The fake as a target: in this process, or as a server on a loopback port."""

from __future__ import annotations

from etcd_lockstep.codec import decode, encode
from etcd_lockstep.target import Target
from etcd_lockstep.targets.wire import WireTarget
from etcd_model import Error, Operation, Result
from etcd_model.errors import Code
from etcd_model.operations import Compact
from fake_etcd import Engine, EtcdError, serve


class FakeTarget(Target):
    """The fake's engine, called directly with wire messages."""

    name = "fake"

    def __init__(self, version: str, min_lease_ttl: int) -> None:
        self._engine = Engine(version, min_lease_ttl=min_lease_ttl)

    def reset(self) -> int:
        """Empty and compacted, as a real etcd stands after its reset."""
        self._engine.reset()
        result = self.apply(Compact(1))
        return result.revision if not isinstance(result, Error) else 0

    def apply(self, operation: Operation) -> Result:
        path, request = encode(operation)
        try:
            answer = self._engine.call(path, request)
        except EtcdError as error:
            return Error(Code(error.code.value[0]), error.message)
        return decode(operation, answer)


class FakeServerTarget(WireTarget):
    """The fake behind gRPC, on a loopback port of its own."""

    def __init__(self, version: str, min_lease_ttl: int) -> None:
        self._server = serve(Engine(version, min_lease_ttl=min_lease_ttl), "127.0.0.1:0")
        super().__init__("fake-server", self._server.address)

    def close(self) -> None:
        super().close()
        self._server.stop()
