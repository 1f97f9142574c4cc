"""An etcd that somebody else runs, at an address that the user names."""

import grpc

from etcd_lockstep.servers.calls import explain, open_channel, status
from etcd_lockstep.servers.errors import EtcdUnavailable
from etcd_lockstep.servers.running import RunningEtcd
from etcd_lockstep.servers.sources import Endpoint


class EndpointEtcd(RunningEtcd):
    """Looked at, never started nor stopped. Raises `EtcdUnavailable` where nothing answers within 5 s, or not as etcd.

    Whether it may be written to is `refuse_unless_empty`'s question.
    """

    owned = False

    def __init__(self, source: Endpoint) -> None:
        self.address = source.address
        try:
            with open_channel(self.address) as channel:
                self.version = status(channel).version
        except grpc.RpcError as error:
            if "user name is empty" in explain(error):
                raise EtcdUnavailable(
                    f"authentication is on at endpoint {self.address}: a run needs it off, for it turns it on itself"
                ) from error
            raise EtcdUnavailable(f"no etcd answers at endpoint {self.address} ({explain(error)})") from error
        self.how = f"etcd {self.version} at endpoint {self.address}"

    def restart(self) -> None:
        raise EtcdUnavailable(f"the etcd at endpoint {self.address} is not ours to restart")

    def is_alive(self) -> bool:
        try:
            with open_channel(self.address) as channel:
                status(channel)
        except grpc.RpcError:
            return False
        return True

    def stop(self) -> None:
        pass

    def log_tail(self, lines: int = 40) -> str:  # noqa: ARG002  # its log is out of reach
        return ""
