"""What a server answers with UNIMPLEMENTED: operations, or options of them, for which it has no words."""

from __future__ import annotations

from etcd_lockstep.names import name_of
from etcd_lockstep.searching.findings import features
from etcd_lockstep.servers.calls import means_unimplemented
from etcd_lockstep.target import NotExpressible
from etcd_lockstep.trace import bare
from etcd_model import Error, Operation, Result
from etcd_model.operations import WatchProgress


class Unimplemented:
    """What a server has refused so far as not implemented, by the operation and the options that it used.

    An operation that uses all of these options, and perhaps more, is not sent again. Which of several options it was,
    later refusals show. Of a request for progress nothing is learned: a server may have no word for it only while the
    stream has no watchers.
    """

    def __init__(self) -> None:
        self._refused: dict[str, list[frozenset[str]]] = {}

    def learn(self, operation: Operation, result: Result) -> None:
        """Look at an answer. Raises `NotExpressible` where it is UNIMPLEMENTED."""
        if isinstance(result, Error) and means_unimplemented(result.code, result.message):
            if not isinstance(bare(operation), WatchProgress):
                self._refused.setdefault(name_of(operation), []).append(features(operation))
            raise NotExpressible(result.message)

    def may_send(self, operation: Operation) -> bool:
        """Whether no such operation has been refused yet."""
        refused = self._refused.get(name_of(operation))
        return refused is None or not any(options <= features(operation) for options in refused)
