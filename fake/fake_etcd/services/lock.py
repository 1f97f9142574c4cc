"""The Lock service."""

from collections.abc import Generator, Mapping
from contextlib import suppress

from grpc import StatusCode

from fake_etcd.concurrency import (
    CleaningClient,
    Client,
    created_at,
    first_created,
    op_put,
    op_range,
    session_key,
)
from fake_etcd.errors import EtcdError
from fake_etcd.services.service import Handler, Service, StepsHandler
from fake_etcd.waiting import Wait
from fake_etcd.wire import messages as pb


class Locks(Service):
    """etcd: server/etcdserver/api/v3lock/lock.go, client/v3/concurrency/mutex.go."""

    def handlers(self) -> Mapping[str, Handler]:
        return {"/v3lockpb.Lock/Unlock": self.unlock}

    def waiting(self) -> Mapping[str, StepsHandler]:
        return {"/v3lockpb.Lock/Lock": self.lock}

    def lock(self, request: pb.LockRequest, token: str) -> Generator[Wait, None, pb.LockResponse]:
        """Queue up with a key bound to the lease; the key with the smallest create_revision has the lock.

        Who is in the queue already stays there, and who has the lock gets it again, without a write.
        """
        client = Client(self.core, token, request)
        lease = client.session(request.lease)
        prefix = request.name + b"/"
        key = session_key(prefix, lease)
        owner = op_range(first_created(prefix))
        mine = op_range(pb.RangeRequest(key=key))
        acquired = client.txn(
            pb.TxnRequest(compare=[created_at(key, 0)], success=[op_put(key, b"", lease), owner], failure=[mine, owner])
        )
        my_revision = acquired.header.revision
        if not acquired.succeeded:
            my_revision = acquired.responses[0].response_range.kvs[0].create_revision
        owners = acquired.responses[1].response_range.kvs
        header = acquired.header
        if owners and owners[0].create_revision != my_revision:
            header = yield from self._wait(client, prefix, key, my_revision)
        return pb.LockResponse(header=header, key=key)

    def _wait(
        self, client: Client, prefix: bytes, key: bytes, my_revision: int
    ) -> Generator[Wait, None, pb.ResponseHeader]:
        """Who gives up leaves the queue. Whose lease ends waits on, and learns it, if at all, when its turn comes."""
        cleaning = CleaningClient(self.core)
        try:
            header = yield from client.wait_deletes(prefix, my_revision - 1)
            if not self.core.quirks.lock_looks_for_its_key:
                return header
            looked = client.range(pb.RangeRequest(key=key))
        except EtcdError:
            if not cleaning.is_too_late:
                with suppress(EtcdError):
                    cleaning.delete(key)
            raise
        if not looked.kvs:
            raise EtcdError(StatusCode.UNKNOWN, "mutex: session is expired")
        return looked.header

    def unlock(self, request: pb.UnlockRequest, token: str) -> pb.UnlockResponse:
        """Delete the key, whoever holds it, if it is there."""
        return pb.UnlockResponse(header=Client(self.core, token, request).delete(request.key).header)
