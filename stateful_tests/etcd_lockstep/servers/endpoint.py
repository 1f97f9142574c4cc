"""An etcd that a user runs, at an address that the user names; and the check that it is empty before it is used."""

from collections.abc import Iterable

import grpc

from etcd_lockstep.servers.calls import call, explain, open_channel, status
from etcd_lockstep.servers.running import EtcdUnavailable, RunningEtcd
from etcd_lockstep.servers.sources import Endpoint
from fake_etcd.wire import messages

_AUTH = "/etcdserverpb.Auth/"
_EVERYTHING = messages.RangeRequest(key=b"\0", range_end=b"\0", count_only=True, serializable=False)


class EndpointEtcd(RunningEtcd):
    """A server that the run neither starts nor stops.

    Raises `EtcdUnavailable` where no server answers within 5 s, or the answer is not etcd's.
    `refuse_unless_empty` decides whether a run may write to it.
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
                    f"authentication is on at endpoint {self.address}: turn it off, a run turns it on itself"
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


class NotEmpty(Exception):
    """A store that the run did not start holds data, or may hold some, and the run would delete it."""


def refuse_unless_empty(address: str, allow_destroy: bool) -> None:
    """Raise `NotEmpty` where the etcd at `address` holds a key, a lease, a user or a role and `allow_destroy` is False.

    It only reads: a linearizable count of the keys, and the lists of the others. A history of deleted keys does not
    matter. With `allow_destroy` it also deletes the users and roles, which a run would not delete itself. An etcd with
    authentication on is refused with `allow_destroy` too, because it would refuse every request of the run.

    Raises `EtcdUnavailable` where the server does not answer.
    """
    try:
        with open_channel(address) as channel:
            keys = call(channel, "/etcdserverpb.KV/Range", _EVERYTHING, messages.RangeResponse).count
            leases = len(
                call(
                    channel,
                    "/etcdserverpb.Lease/LeaseLeases",
                    messages.LeaseLeasesRequest(),
                    messages.LeaseLeasesResponse,
                ).leases
            )
            users = call(
                channel, _AUTH + "UserList", messages.AuthUserListRequest(), messages.AuthUserListResponse
            ).users
            roles = call(
                channel, _AUTH + "RoleList", messages.AuthRoleListRequest(), messages.AuthRoleListResponse
            ).roles
            if allow_destroy:
                _delete(channel, users, roles)
    except grpc.RpcError as error:
        if isinstance(error, grpc.Call) and error.code() in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        ):
            raise EtcdUnavailable(f"the etcd at {address} doesn't answer ({explain(error)})") from error
        raise NotEmpty(
            f"the etcd at {address} refuses to show whether it is empty ({explain(error)}); "
            "authentication has to be off there, with --allow-destroy too"
        ) from error
    counts = {"key": keys, "lease": leases, "user": len(users), "role": len(roles)}
    if any(counts.values()) and not allow_destroy:
        held = [_count(number, noun) for noun, number in counts.items() if number or noun in ("key", "lease")]
        raise NotEmpty(
            f"the etcd at {address} holds {', '.join(held[:-1])} and {held[-1]}, and a run deletes "
            "them all: name an empty one, or say --allow-destroy"
        )


def _delete(channel: grpc.Channel, users: Iterable[str], roles: Iterable[str]) -> None:
    """Raises `grpc.RpcError`."""
    for name in users:
        call(channel, _AUTH + "UserDelete", messages.AuthUserDeleteRequest(name=name), messages.AuthUserDeleteResponse)
    for role in roles:
        call(channel, _AUTH + "RoleDelete", messages.AuthRoleDeleteRequest(role=role), messages.AuthRoleDeleteResponse)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
