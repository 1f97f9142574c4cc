"""Nobody's data is deleted by surprise: the look at a store that is not ours, before anything is done to it."""

from collections.abc import Iterable

import grpc

from etcd_lockstep.servers.calls import call, explain, open_channel
from etcd_lockstep.servers.errors import EtcdUnavailable, NotEmpty
from fake_etcd.wire import messages

_AUTH = "/etcdserverpb.Auth/"
_EVERYTHING = messages.RangeRequest(key=b"\0", range_end=b"\0", count_only=True, serializable=False)


def refuse_unless_empty(address: str, allow_destroy: bool) -> None:
    """Raise `NotEmpty` where the etcd at `address` holds a key, a lease, a user or a role and `allow_destroy` is False.

    It does nothing but read: a linearizable count of the keys, and the lists of the others. With `allow_destroy`
    it deletes the users and roles, which no run would find in its way otherwise. A history, of keys that are
    deleted by now, doesn't matter. An etcd that asks who we are is refused whatever `allow_destroy`
    says: a run would only ever see that refusal. Raises `EtcdUnavailable` where there is no answer.
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
            f"the etcd at {address} doesn't let us look whether it is empty ({explain(error)}); "
            "authentication has to be off there, and even --allow-destroy doesn't help"
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
