"""What a server answers with UNIMPLEMENTED: operations, or options of them, for which it has no words."""

from __future__ import annotations

from collections import Counter

from etcd_lockstep.names import name_of
from etcd_lockstep.searching.findings import features
from etcd_lockstep.servers.calls import means_unimplemented
from etcd_lockstep.target import NotExpressible
from etcd_lockstep.trace import bare
from etcd_model import Error, Operation, Result
from etcd_model.operations import WatchProgress

_ENOUGH = 20
"""So many refusals of the same options are enough, though they were answered before: each ends a sequence."""


class Unimplemented:
    """What a server has refused so far as not implemented, by the operation and the options that it used.

    An operation that uses all of these options, and perhaps more, is not sent again, unless one that used them all was
    answered before, and not with an error: then it is not the options that the server has no words for, but what they
    are set to, and each of its refusals is about that request alone, as long as these are few.

    Which of several options it was, later refusals show. Of a request for progress nothing is learned: a server may
    have no word for it only while the stream has no watchers.
    """

    def __init__(self) -> None:
        self._refused: dict[str, set[frozenset[str]]] = {}
        self._refusals: Counter[tuple[str, frozenset[str]]] = Counter()
        self._answered: dict[str, set[frozenset[str]]] = {}

    def learn(self, operation: Operation, result: Result) -> None:
        """Look at an answer. Raises `NotExpressible` where it is UNIMPLEMENTED."""
        name, options = name_of(operation), features(operation)
        if not isinstance(result, Error):
            self._answered.setdefault(name, set()).add(options)
            return
        if not means_unimplemented(result.code, result.message):
            return
        self._refusals[name, options] += 1
        is_for_good = self._refusals[name, options] >= _ENOUGH or not self._was_answered(name, options)
        if is_for_good and not isinstance(bare(operation), WatchProgress):
            self._refused.setdefault(name, set()).add(options)
        raise NotExpressible(result.message)

    def may_send(self, operation: Operation) -> bool:
        """Whether no such operation has been refused yet."""
        name, options = name_of(operation), features(operation)
        return not any(refused <= options for refused in self._refused.get(name, ()))

    def _was_answered(self, name: str, options: frozenset[str]) -> bool:
        return any(options <= answered for answered in self._answered.get(name, ()))
