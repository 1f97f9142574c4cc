"""The health service: as etcd answers it, in-process and over a server (measured on 3.4.23, 3.5.30, 3.6.16, 3.7.3)."""

import grpc
import pytest

from fake_etcd import stubs
from fake_etcd.wire import messages as pb

SERVING = pb.HealthCheckResponse.SERVING


def test_the_server_serves(channel: grpc.Channel) -> None:
    assert stubs(channel).health.Check(pb.HealthCheckRequest()).status == SERVING


@pytest.mark.parametrize("service", ["etcdserverpb.KV", "nope"])
def test_no_service_is_known_by_name(channel: grpc.Channel, service: str) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        stubs(channel).health.Check(pb.HealthCheckRequest(service=service))
    assert (refusal.value.code(), refusal.value.details()) == (grpc.StatusCode.NOT_FOUND, "unknown service")


def test_the_status_is_reported_once_and_then_when_it_changes(channel: grpc.Channel) -> None:
    statuses = {}
    for service in ("", "nope"):
        watch = stubs(channel).health.Watch(pb.HealthCheckRequest(service=service))
        statuses[service] = next(watch).status
        assert watch.is_active()
        watch.cancel()
    assert statuses == {"": SERVING, "nope": pb.HealthCheckResponse.SERVICE_UNKNOWN}
