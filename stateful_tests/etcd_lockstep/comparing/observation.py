"""Observations: the part of an answer on which targets must agree.

What is left out or made comparable, each with its reason, is all in this module:

- Revisions are counted from the one that the target had after its reset: targets share no counter.
- A lease id that the server picked is named for the step that granted it. Ids stay comparable:
  one that is handed out twice, or is not positive, is seen. In LeaseLeases, an id that no answer and
  no request has reported is that of "no step": a Lock that was cancelled leaves such a lease behind.
- The key of a lock or a leader ends in the hex of its lease's id. Where the server picked that,
  the lease's name stands in its place.
- The alarms, in an AlarmResponse and as errors of a Status, come in the random order of a Go map, so
  they are sorted. As errors they are reported as protobuf's Go library prints them: with a blank at the
  end up to etcd 3.6, with one blank or two between its words in 3.7; blanks are squeezed.
- The permissions of a role are sorted by key, and etcd leaves open in which order those of one key
  come: they are sorted by all there is in them.
- A token is "a token", wherever there is one: each server makes its own.
- The revision of the auth store is counted from the one that the target had after its reset: a real
  server's never goes back.
- The hash of a HashKV is over revisions and lease ids as the target counts them. It is 0 where it is
  the one that is right for them, which the caller works out, and stays itself elsewhere; an answer
  without a hash has -1.
- The id of the server's own member, and the sizes, raft indices, names and URLs of Status and MemberList never
  get here (`codec`): they report the server. Members are listed by their ids, which are other ones on every server,
  so they are sorted.
- How a watch's events are spread over responses is the server's choice; that a revision is not split,
  and that no header is behind its events, is kept as a flag of each watcher (`Watched`).
- The ids of cluster and member and the raft term of a header never get here (`codec`): they report
  the server, not of the store.
- The keys of a TimeToLive and the ids of LeaseLeases come in no promised order (leases that expire
  at the same time are in random order in etcd), so they are sorted.
- The TTL of a TimeToLive counts down in real time on a real server and stands still on a virtual
  clock: any value that the measured time allows is taken for the expected one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import TypeAlias

from etcd_lockstep.trace import LeaseOf, MemberOf, bare
from etcd_model import results
from etcd_model.errors import Error
from etcd_model.exhaustive import assert_never
from etcd_model.operations import Campaign, LeaderKey, LeaseGrant, Lock, Operation, Permission
from etcd_model.results import KeyValue, Member, Result


@dataclass(frozen=True, slots=True)
class Raised:
    """The target raised an exception where etcd answers."""

    exception: str
    message: str


Observation: TypeAlias = Result | Raised


_TOKEN = "a token"
_HEX = re.compile(rb"[1-9a-f][0-9a-f]{0,15}")


_TEACHING = frozenset(
    {
        results.LeaseGrantResult,
        results.AuthenticateResult,
        results.LockResult,
        results.CampaignResult,
        results.MemberAddResult,
    }
)
"""Answers that later steps may refer to."""


class View:
    """How one target's revisions, ids of leases and members, and tokens translate to those that all targets share."""

    __slots__ = (
        "_leases",
        "_members",
        "_shifts",
        "auth_base",
        "base",
        "highest_header",
        "last_header",
        "lease_ids",
        "member_ids",
        "tokens",
    )

    def __init__(self, base: int, auth_base: int = 1) -> None:
        self.base = base
        """The target's revision after its reset."""
        self.auth_base = auth_base
        """The revision of the target's auth store after its reset."""
        self.lease_ids: dict[int, int] = {}
        """By step: the id of the lease that it granted."""
        self.tokens: dict[int, str] = {}
        """By step: the token that it returned."""
        self.member_ids: dict[int, int] = {}
        """By step: the id of the member that it added."""
        self.last_header = 0
        """The revision in the header of the last answer, as the target reported it."""
        self.highest_header = 0
        """The highest that a header of the target had so far."""
        self._leases: dict[int, LeaseOf] = {}
        self._members: dict[int, MemberOf] = {}
        self._shifts: list[tuple[int, int]] = []

    def name_lease(self, step: int, lease_id: int, *, picked_by_server: bool) -> None:
        """Remember the lease that a step granted."""
        self.lease_ids[step] = lease_id
        if picked_by_server and lease_id > 0:
            self._leases.setdefault(lease_id, LeaseOf(step))

    def name_token(self, step: int, token: str) -> None:
        """Remember the token that a step returned."""
        self.tokens[step] = token

    def learn(self, step: int, operation: Operation, result: Result) -> None:
        """Remember what an answer says that later steps may refer to: a lease's id, a token, a member's id.

        A Lock or a Campaign without a lease is given one by the server (etcd server/etcdserver/api/v3lock/lock.go,
        Lock: concurrency.NewSession), whose id is in the key.
        """
        if type(result) not in _TEACHING:
            return
        match result, bare(operation):
            case results.LeaseGrantResult(), LeaseGrant(id=asked):
                self.name_lease(step, result.id, picked_by_server=asked == 0)
            case results.AuthenticateResult(), _:
                self.name_token(step, result.token)
            case results.MemberAddResult(member=Member(id=member_id)), _:
                self.member_ids[step] = member_id
                self._members[member_id] = MemberOf(step)
            case results.LockResult(), Lock(lease=0):
                self.name_lease(step, _lease_in(result.key), picked_by_server=True)
            case results.CampaignResult(), Campaign(lease=0):
                self.name_lease(step, result.leader.lease, picked_by_server=True)

    def member(self, member: Member) -> Member:
        """A member with the shared name of its id."""
        return replace(member, id=self._members.get(member.id, member.id))

    def lease(self, lease_id: int) -> int:
        """The shared name of a lease id: itself where the caller picked it."""
        return self._leases.get(lease_id, lease_id)

    def raw_lease(self, lease: int) -> int:
        """What the target calls a lease by its shared name: the other way round."""
        return self.lease_ids.get(lease.step, 0) if isinstance(lease, LeaseOf) else lease

    def listed_lease(self, lease_id: int) -> int:
        """The shared name of one of the leases that there are, which may be one of which no answer has reported."""
        known = lease_id in self._leases or lease_id <= 0 or lease_id in self.lease_ids.values()
        return self.lease(lease_id) if known else LeaseOf(0)

    def key(self, key: bytes) -> bytes:
        """A key, with the shared name of a lease where it ends in the hex of an id that the server picked."""
        if not self._leases or b"/" not in key:
            return key
        stem, _, last = key.rpartition(b"/")
        lease = self._leases.get(_hex(last))
        return b"%s/%s" % (stem, str(lease).encode()) if lease else key

    def auth_revision(self, revision: int) -> int:
        """The shared number of a revision of the auth store; 0 stays 0, which is none."""
        return revision - self.auth_base + 1 if revision else 0

    def raw_auth_revision(self, revision: int) -> int:
        """What the target calls a shared revision of the auth store: the other way round."""
        return revision - 1 + self.auth_base if revision else 0

    def revision(self, revision: int) -> int:
        """The shared number of a revision, counted from 1 as in an empty store.

        0 stays 0, which is no revision, and a negative number stays: -1 is the compacted revision of a store that
        never was compacted. A revision from before the reset becomes a negative number.
        """
        if revision <= 0:
            return revision
        for since, expected in self._shifts:
            if revision >= since:
                return revision - since + expected
        return revision - self.base + (1 if revision >= self.base else 0)

    def header(self, revision: int) -> int:
        """The shared number of the revision in a header, which is 0 in an empty store that counts from 0; once a header
        had another, 0 is none."""
        return 1 if revision == self.base == self.highest_header == 0 else self.revision(revision)

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
            self.key(kv.key) if self._leases else kv.key,
            kv.value,
            self.revision(kv.create_revision),
            self.revision(kv.mod_revision),
            kv.version,
            self.lease(kv.lease) if kv.lease else 0,
        )


RIGHT_HASH = 0
"""What the hash of a HashKV is compared as where it is the expected one."""
_NO_HASH = -1
"""The same where the answer has none."""


def observe(result: Result, view: View, expected_hash: int | None = None) -> Result:
    """The observation of an answer. A TimeToLive needs `allow_for_elapsed` besides.

    `expected_hash` is the hash that a HashKV should report, over the target's own revisions and lease ids.
    """
    view.last_header = 0 if isinstance(result, Error) else result.revision
    view.highest_header = max(view.highest_header, view.last_header)
    if isinstance(result, results.HashKVResult):
        result = replace(result, hash=RIGHT_HASH if result.hash == expected_hash else result.hash or _NO_HASH)
    return _observe(result, view)


def _observe(result: Result, view: View) -> Result:
    match result:
        case results.RangeResult():
            return results.RangeResult(
                view.header(result.revision), tuple(map(view.kv, result.kvs)), result.more, result.count
            )
        case results.PutResult():
            return results.PutResult(view.header(result.revision), _kv(result.prev_kv, view))
        case results.DeleteRangeResult():
            return results.DeleteRangeResult(
                view.header(result.revision), result.deleted, tuple(map(view.kv, result.prev_kvs))
            )
        case results.TxnResult():
            responses = tuple(_response(response, view) for response in result.responses)
            return results.TxnResult(view.header(result.revision), result.succeeded, responses)
        case Error():
            return result
        case results.LeaseGrantResult():
            return results.LeaseGrantResult(view.header(result.revision), view.lease(result.id), result.ttl)
        case results.LeaseKeepAliveResult():
            return results.LeaseKeepAliveResult(view.header(result.revision), view.lease(result.id), result.ttl)
        case results.LeaseTimeToLiveResult():
            return results.LeaseTimeToLiveResult(
                view.header(result.revision),
                view.lease(result.id),
                result.ttl,
                result.granted_ttl,
                tuple(sorted(map(view.key, result.keys))),
            )
        case results.LeaseLeasesResult():
            named = map(view.listed_lease, result.leases)
            return results.LeaseLeasesResult(view.header(result.revision), tuple(sorted(named, key=repr)))
        case results.WatchReadResult():
            return results.WatchReadResult(
                view.header(result.revision),
                tuple(_watched(watched, view) for watched in result.watches),
                tuple(map(view.revision, result.progress)),
                result.stray,
            )
        case results.RoleGetResult():
            return results.RoleGetResult(view.header(result.revision), _permissions(result.perm))
        case results.StatusResult():
            errors = tuple(sorted(" ".join(error.split()) for error in result.errors))
            return replace(result, revision=view.header(result.revision), errors=errors)
        case results.AlarmResult():
            alarms = tuple(sorted(result.alarms, key=attrgetter("member_id", "alarm")))
            return results.AlarmResult(view.header(result.revision), alarms)
        case results.MemberListResult():
            return results.MemberListResult(view.header(result.revision), _members(result.members, view))
        case results.MemberAddResult():
            added = view.member(result.member) if result.member is not None else None
            return results.MemberAddResult(view.header(result.revision), added, _members(result.members, view))
        case results.AuthStatusResult():
            auth_revision = view.auth_revision(result.auth_revision)
            return results.AuthStatusResult(view.header(result.revision), result.enabled, auth_revision)
        case results.AuthenticateResult():
            return results.AuthenticateResult(view.header(result.revision), _TOKEN if result.token else "")
        case results.HashKVResult():
            return results.HashKVResult(
                view.header(result.revision),
                result.hash,
                view.revision(result.compact_revision),
                view.revision(result.hash_revision),
            )
        case results.LockResult():
            return results.LockResult(view.header(result.revision), view.key(result.key))
        case results.CampaignResult():
            return results.CampaignResult(view.header(result.revision), _leader(result.leader, view))
        case results.LeaderResult(revision=0, kv=None):
            return result  # an Observe to which nothing came
        case results.LeaderResult():
            return results.LeaderResult(view.header(result.revision), _kv(result.kv, view))
        case (
            results.CompactResult()
            | results.LeaseRevokeResult()
            | results.WatchCreateResult()
            | results.AuthResult()
            | results.UserGetResult()
            | results.UserListResult()
            | results.RoleListResult()
            | results.MaintenanceResult()
            | results.SnapshotResult()
            | results.DowngradeResult()
            | results.UnlockResult()
            | results.ElectionResult()
        ):
            return replace(result, revision=view.header(result.revision))
        case results.AdvanceResult() | results.StreamResult() | results.Waiting():
            return result  # these have no header
        case _:
            assert_never(result)


def _kv(kv: KeyValue | None, view: View) -> KeyValue | None:
    return view.kv(kv) if kv is not None else None


def _permissions(perm: Iterable[Permission]) -> tuple[Permission, ...]:
    """Those of one key, where they stand together, in an order of their own."""
    of_one_key = groupby(perm, key=attrgetter("key"))
    return tuple(
        one for _key, several in of_one_key for one in sorted(several, key=attrgetter("range_end", "perm_type"))
    )


def _members(members: Iterable[Member], view: View) -> tuple[Member, ...]:
    return tuple(sorted(map(view.member, members), key=repr))


def _watched(watched: results.Watched, view: View) -> results.Watched:
    events = tuple(results.Event(event.type, view.kv(event.kv), _kv(event.prev_kv, view)) for event in watched.events)
    return replace(watched, events=events, compact_revision=view.revision(watched.compact_revision))


def _leader(leader: LeaderKey, view: View) -> LeaderKey:
    return LeaderKey(leader.name, view.key(leader.key), view.revision(leader.rev), view.lease(leader.lease))


def _lease_in(key: bytes) -> int:
    """The lease's id in the key of a lock; 0 where there is none."""
    return _hex(key.rpartition(b"/")[2])


def _hex(digits: bytes) -> int:
    return int(digits, 16) if _HEX.fullmatch(digits) else 0


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
