"""The health service of gRPC, which etcd serves on its client port (etcd: server/etcdserver/api/v3rpc/grpc.go)."""

from collections.abc import Generator, Mapping

from grpc import StatusCode

from fake_etcd.errors import EtcdError
from fake_etcd.services.service import Handler, Service, StepsHandler
from fake_etcd.waiting import NEVER, Wait
from fake_etcd.wire import messages as pb


class Health(Service):
    """The server as a whole is the service "", and serves; etcd knows no other. Nobody needs a token to ask."""

    def handlers(self) -> Mapping[str, Handler]:
        return {"/grpc.health.v1.Health/Check": self.check}

    def streams(self) -> Mapping[str, StepsHandler]:
        return {"/grpc.health.v1.Health/Watch": self.watch}

    def check(self, request: pb.HealthCheckRequest, _token: str) -> pb.HealthCheckResponse:
        if request.service:
            raise EtcdError(StatusCode.NOT_FOUND, "unknown service")
        return pb.HealthCheckResponse(status="SERVING")

    def watch(
        self, request: pb.HealthCheckRequest, _token: str
    ) -> Generator[Wait | pb.HealthCheckResponse, None, None]:
        """The status, and then whatever it changes to: it doesn't."""
        yield pb.HealthCheckResponse(status="SERVICE_UNKNOWN" if request.service else "SERVING")
        while True:
            yield NEVER
