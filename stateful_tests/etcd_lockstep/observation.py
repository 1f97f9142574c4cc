"""Observations: the part of an answer on which targets must agree.

What is left out or made comparable, each with its reason, is all in this module:

- Revisions are counted from the one that the target had after its reset: targets share no counter.
- A lease id that the server picked is named for the step that granted it. Ids stay comparable:
  one that is handed out twice, or is not positive, is seen.
- The ids of cluster and member and the raft term of a header never get here (`codec`): they tell of
  the server, not of the store.
- The keys of a TimeToLive and the ids of LeaseLeases come in no promised order (leases that expire
  at the same time are in random order in etcd), so they are sorted.
- The TTL of a TimeToLive counts down in real time on a real server and stands still on a virtual
  clock: any value that the measured time allows is taken for the expected one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

from etcd_lockstep.trace import LeaseOf
from etcd_model import results
from etcd_model.errors import Error
from etcd_model.exhaustive import assert_never
from etcd_model.results import KeyValue, Result


@dataclass(frozen=True, slots=True)
class Raised:
    """The target raised an exception where etcd answers."""

    exception: str
    message: str


Observation: TypeAlias = Result | Raised


class View:
    """How one target's revisions and lease ids translate to those that all targets share."""

    __slots__ = ("_leases", "_shifts", "base", "last_header", "lease_ids")

    def __init__(self, base: int) -> None:
        self.base = base
        """The target's revision after its reset."""
        self.lease_ids: dict[int, int] = {}
        """By step: the id of the lease that it granted."""
        self.last_header = 0
        """The revision in the header of the last answer, as the target told it."""
        self._leases: dict[int, LeaseOf] = {}
        self._shifts: list[tuple[int, int]] = []

    def name_lease(self, step: int, lease_id: int, *, picked_by_server: bool) -> None:
        """Remember the lease that a step granted."""
        self.lease_ids[step] = lease_id
        if picked_by_server and lease_id > 0:
            self._leases.setdefault(lease_id, LeaseOf(step))

    def lease(self, lease_id: int) -> int:
        """The shared name of a lease id: itself where the caller picked it."""
        return self._leases.get(lease_id, lease_id)

    def revision(self, revision: int) -> int:
        """The shared number of a revision, counted from 1 as in an empty store; 0 stays 0, which is no revision.

        One from before the reset becomes a negative number.
        """
        if not revision:
            return 0
        for since, expected in self._shifts:
            if revision >= since:
                return revision - since + expected
        return revision - self.base + (1 if revision >= self.base else 0)

    def raw(self, revision: int) -> int:
        """What the target calls a shared revision: the other way round."""
        for since, expected in self._shifts:
            if revision >= expected:
                return revision - expected + since
        return revision - 1 + self.base

    def resynchronize(self, expected: int) -> None:
        """From here on, what the last header called its revision is what the others call `expected`.

        A counter that once went wrong would show in every later answer; this way it shows once,
        at the step that did it.
        """
        header = self.last_header
        if header and expected and self.revision(header) != expected:
            self._shifts = [(since, to) for since, to in self._shifts if since < header]
            self._shifts.insert(0, (header, expected))

    def kv(self, kv: KeyValue) -> KeyValue:
        return KeyValue(
            kv.key,
            kv.value,
            self.revision(kv.create_revision),
            self.revision(kv.mod_revision),
            kv.version,
            self.lease(kv.lease) if kv.lease else 0,
        )


def observe(result: Result, view: View) -> Result:
    """The observation of an answer. A TimeToLive needs `allow_for_elapsed` besides."""
    view.last_header = 0 if isinstance(result, Error) else result.revision
    return _observe(result, view)


def _observe(result: Result, view: View) -> Result:
    match result:
        case results.RangeResult():
            return results.RangeResult(
                view.revision(result.revision), tuple(map(view.kv, result.kvs)), result.more, result.count
            )
        case results.PutResult():
            prev_kv = view.kv(result.prev_kv) if result.prev_kv is not None else None
            return results.PutResult(view.revision(result.revision), prev_kv)
        case results.DeleteRangeResult():
            return results.DeleteRangeResult(
                view.revision(result.revision), result.deleted, tuple(map(view.kv, result.prev_kvs))
            )
        case results.TxnResult():
            responses = tuple(_response(response, view) for response in result.responses)
            return results.TxnResult(view.revision(result.revision), result.succeeded, responses)
        case results.CompactResult():
            return results.CompactResult(view.revision(result.revision))
        case results.LeaseGrantResult():
            return results.LeaseGrantResult(view.revision(result.revision), view.lease(result.id), result.ttl)
        case results.LeaseRevokeResult():
            return results.LeaseRevokeResult(view.revision(result.revision))
        case results.LeaseKeepAliveResult():
            return results.LeaseKeepAliveResult(view.revision(result.revision), view.lease(result.id), result.ttl)
        case results.LeaseTimeToLiveResult():
            return results.LeaseTimeToLiveResult(
                view.revision(result.revision),
                view.lease(result.id),
                result.ttl,
                result.granted_ttl,
                tuple(sorted(result.keys)),
            )
        case results.LeaseLeasesResult():
            named = map(view.lease, result.leases)
            return results.LeaseLeasesResult(view.revision(result.revision), tuple(sorted(named, key=repr)))
        case Error():
            return result
        case _:
            assert_never(result)


def _response(response: results.ResponseOp, view: View) -> results.ResponseOp:
    observed = _observe(response, view)
    assert isinstance(observed, results.RangeResult | results.PutResult | results.DeleteRangeResult | results.TxnResult)
    return observed


def allow_for_elapsed(observed: Observation, expected: Observation, elapsed: float) -> Observation:
    """Take a TTL for the expected one where the time that passed on a real clock explains it.

    `elapsed` is an upper bound, in seconds, of the lease's age on the target. The expected TTL is read from a
    clock that has not moved: with a fresh lease of 10 s it is 9, and so it is within the first second.
    """
    if (
        isinstance(observed, results.LeaseTimeToLiveResult)
        and isinstance(expected, results.LeaseTimeToLiveResult)
        and observed.ttl >= 0
        and expected.ttl + 1 - math.ceil(elapsed) <= observed.ttl <= expected.ttl
    ):
        return replace(observed, ttl=expected.ttl)
    return observed
