"""Put and DeleteRange, alone or inside a txn (etcd: server/etcdserver/txn/put.go, delete.go)."""

from fake_etcd.errors import EmptyKey, KeyNotFound, LeaseNotFound, LeaseProvided, ValueProvided
from fake_etcd.lease import Lessor
from fake_etcd.ranges import key_value
from fake_etcd.store import Store
from fake_etcd.wire.messages import DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse


def check_put(request: PutRequest) -> None:
    """Refuse what no state could answer. etcd: server/etcdserver/api/v3rpc/key.go checkPutRequest."""
    if not request.key:
        raise EmptyKey()
    if request.ignore_value and request.value:
        raise ValueProvided()
    if request.ignore_lease and request.lease:
        raise LeaseProvided()


def check_lease(lessor: Lessor, request: PutRequest) -> None:
    """A put's lease must exist."""
    if request.lease and request.lease not in lessor:
        raise LeaseNotFound()


def check_previous(store: Store, request: PutRequest) -> None:
    """A put that keeps its key's value or lease needs one."""
    if (request.ignore_value or request.ignore_lease) and store.get(request.key) is None:
        raise KeyNotFound()


def put(store: Store, request: PutRequest) -> PutResponse:
    """Write a key that has passed its checks, without a header and not committed yet."""
    response = PutResponse()
    key, value, lease = request.key, request.value, request.lease
    ignore_value, ignore_lease, prev_kv = request.ignore_value, request.ignore_lease, request.prev_kv
    if ignore_value or ignore_lease or prev_kv:
        previous = store.get(key)
        if previous is not None:
            if ignore_value:
                value = previous.value
            if ignore_lease:
                lease = previous.lease
            if prev_kv:
                response.prev_kv.CopyFrom(key_value(previous))
    store.put(key, value, lease)
    return response


def check_delete_range(request: DeleteRangeRequest) -> None:
    """Refuse what no state could answer. etcd: server/etcdserver/api/v3rpc/key.go checkDeleteRequest."""
    if not request.key:
        raise EmptyKey()


def delete_range(store: Store, request: DeleteRangeRequest) -> DeleteRangeResponse:
    """Delete a range's keys in byte order, without a header and not committed yet."""
    records = store.scan(request.key, request.range_end)
    response = DeleteRangeResponse(deleted=len(records))
    if request.prev_kv:
        response.prev_kvs.extend(map(key_value, records))
    for record in records:
        store.delete(record)
    return response
