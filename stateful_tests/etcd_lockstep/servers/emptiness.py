"""Nobody's data is deleted by surprise: the look at a store that is not ours, before anything is done to it."""

import grpc

from etcd_lockstep.servers.calls import call, explain, open_channel
from etcd_lockstep.servers.errors import EtcdUnavailable, NotEmpty
from fake_etcd.wire import messages

_EVERYTHING = messages.RangeRequest(key=b"\0", range_end=b"\0", count_only=True, serializable=False)


def refuse_unless_empty(address: str, allow_destroy: bool) -> None:
    """Raise `NotEmpty` where the etcd at `address` holds a key or a lease and `allow_destroy` is False.

    It does nothing but read: a linearizable count of the keys, and the list of leases. A history, of keys
    that are deleted by now, doesn't matter. An etcd that asks who we are is refused whatever `allow_destroy`
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
    if (keys or leases) and not allow_destroy:
        raise NotEmpty(
            f"the etcd at {address} holds {_count(keys, 'key')} and {_count(leases, 'lease')}, and a run deletes "
            "them all: name an empty one, or say --allow-destroy"
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
