"""The etcd3 client as a target: what its users can see of an etcd, through its public methods alone.

A difference between this target and the etcd behind it is the client's doing: an option that it takes
and doesn't send, an answer that it doesn't hand on, an error without its message. What a method
doesn't hand on at all (the header of a transaction, say) is 0 or absent in the result. What no
method can express is not sent; see `can_express`.
"""

from __future__ import annotations

import grpc

from etcd_lockstep.servers import Access, open_channel
from etcd_lockstep.target import BASIC, TargetDied
from etcd_lockstep.targets.etcd3_answers import Reading
from etcd_lockstep.targets.etcd3_calls import Etcd3Calls
from etcd_lockstep.targets.wire import Wire, empty_store
from etcd_model import operations as op
from etcd_model.results import Result
from fake_etcd.compat.etcd3 import import_etcd3


class Etcd3Target(Etcd3Calls):
    """An etcd at an address, as a user of `etcd3.client(host, port)` sees it."""

    name = "etcd3"
    capabilities = BASIC - {"lease_leases"}
    asks_for_responses = True

    def __init__(self, server: Access | str, timeout: float = 10) -> None:
        """`server`, or the HOST:PORT of one; a call without an answer is given up after `timeout` seconds."""
        access = Access(server) if isinstance(server, str) else server
        host, _, port = access.address.rpartition(":")
        self._etcd3 = import_etcd3()
        used = access.credentials
        files = {"ca_cert": used.cacert, "cert_key": used.key, "cert_cert": used.cert} if access.tls else {}
        login = {"user": used.user, "password": used.password} if used.user else {}
        options = {**{name: str(path) for name, path in files.items() if path is not None}, **login}
        self._use(self._etcd3.client(host, int(port), timeout=timeout, **options))
        self._learn_methods()
        self._channel = open_channel(access)
        self._wire = Wire(self._channel)

    def reset(self) -> int:
        """Empties the store over a channel of our own: what etcd3 makes of the calls is not the question here."""
        self._leases.clear()
        return empty_store(self._wire)

    def close(self) -> None:
        self._client.close()
        self._channel.close()

    def apply(self, operation: op.Operation) -> Result:
        """Whatever etcd3 raises of its own (a TypeError, say) is its answer, and is let through."""
        exceptions = self._etcd3.exceptions
        reading = Reading()
        try:
            return self._ask(operation, reading)
        except (exceptions.ConnectionFailedError, exceptions.ConnectionTimeoutError) as error:
            raise TargetDied(str(error)) from error
        except Exception as error:
            if isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.CANCELLED:
                raise TargetDied(f"CANCELLED: {error.details()}") from error
            refused = reading.error(error)
            if refused is None:
                raise
            return refused
