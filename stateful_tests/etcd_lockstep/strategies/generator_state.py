"""What operations of one sequence talk about: keys, values, leases, revisions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from etcd_lockstep.names import operation_name
from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.trace import UNKNOWN_LEASE, LeaseOf, MemberOf, RevisionAt, TokenOf, bare
from etcd_model.lock import key_of
from etcd_model.operations import (
    Alarm,
    AlarmAction,
    Authenticate,
    Campaign,
    Compact,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaderKey,
    LeaseGrant,
    LeaseRevoke,
    Lock,
    MemberAdd,
    MemberUpdate,
    Observe,
    Operation,
    Permission,
    Proclaim,
    Put,
    Resign,
    RoleAdd,
    RoleDelete,
    RoleGet,
    RoleGrantPermission,
    Txn,
    Unlock,
    UserAdd,
    UserDelete,
    UserGet,
    WatchClose,
    WatchCreate,
)
from etcd_model.ranges import FROM_KEY

KEYS = (b"a", b"ab", b"b", b"a\x00", b"aa", b"a\xff")
"""Few, so that operations meet; prefixes of each other and one byte apart, so that ranges have edges."""

MOST_KEYS = 6
"""From seven equal elements on, the order in which etcd sorts ties depends on the Go that built it."""

LONG_RANGE = tuple(b"0%02d" % number for number in range(41))
"""Keys of which a RangeStream makes several chunks. They are below all others, so that no other range has them, which
may be sorted."""

LONG_RANGE_END = b"1"

VALUES = (b"1", b"2", b"", b"a", b"10", b"\x00", b"\xff\xc3(", b"long " * 60)
"""Beside usual ones: none, two digits, a zero byte, what is no UTF-8, and one that is longer than a line."""

NUMBERS = (b"1", b"2", b"", b"10", b"9", b"010", b"1e1", b"9007199254740993", b"\xff\xc3(")
"""Of one digit and of several, one number in several spellings, and one that no double holds; and what is no UTF-8."""

ALIKE = (b"a", b"", b"A", b" a", b"a ", b"a\n", b"a\x00", b'"a"', b"\xc3\xa9", b"e\xcc\x81", b"\xff\xc3(")
"""Another case, blanks, a zero byte, quotes, and one letter in two forms of Unicode; and what is no UTF-8."""

VALUES_OF_A_SEQUENCE = (VALUES, VALUES, NUMBERS, ALIKE)
"""Of which a sequence has one, so that values which are nearly the same meet."""

LONG_VALUES = tuple(
    (b"long " * (length // 5 + 1))[: length - 1] + last
    for length in (1025, 4097, 1025, 4097, 1025, 65537)
    for last in (b"1", b"2")
)
"""A byte more than stores that limit values often take; two of each length that differ in their last byte."""

OWN_LEASE_IDS = (7, 8, -5)
"""Lease ids that callers pick; negative ones are legal."""

NO_DOUBLE = 2**53 + 1
"""The smallest number that no double holds: as an id, one that a store in JavaScript mistakes for another."""


_LONGEST_KEY = 64 * 1024
"""Longer ones are not used again. What a server says of a request that is too long has its length, and where there is a
revision in it, that depends on how far the server has come."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was put under a key, after which step it was created and modified, and with which lease."""

    value: bytes
    created: int
    modified: int
    lease: int


class GeneratorState:
    """The state of one sequence. It grows with the sequence: leases are granted, revisions go by."""

    def __init__(
        self,
        keys: Sequence[bytes] = KEYS,
        *,
        values: Sequence[bytes] = VALUES,
        operations: Collection[str] | None = None,
        txns: Sequence[Txn] = (),
        invalid_inputs: bool = True,
        defaults_only: bool = False,
    ) -> None:
        self.keys = tuple(keys)
        self.values = values
        """Of which most are drawn."""
        self.compares_values = values != VALUES
        """Whether many compares are of values: where these are nearly the same."""
        self.operations = operations
        """The names of those that may be drawn inside of others; None where all may."""
        self.txns = txns
        """Examples of txns, of targets that take few others."""
        self.invalid_inputs = invalid_inputs
        """Whether requests may be invalid on purpose."""
        self.defaults_only = defaults_only
        """Whether requests do without options. Where a target lies about one, every other sequence is about that
        one; in a defaults_only sequence nothing stands before what it does to keys and leases."""
        self.live: list[LeaseOf] = []
        """Leases that were granted and not revoked."""
        self.stale: list[LeaseOf] = []
        """Leases that were revoked."""
        self._own_ids: dict[int, int] = {}
        """The ids of those that were granted under an id of the caller's own, by what stands for the leases."""
        self.written: list[bytes] = []
        """Keys that were put, the last one last."""
        self.there: dict[bytes, Written] = {}
        """What the keys hold: a guess, since what was asked may have been refused, or a txn have taken the other
        branch."""
        self.is_long_there = False
        """Whether the keys of the long range were put."""
        self.deletions: list[int] = []
        """Steps after which keys were gone."""
        self.compacted: list[RevisionAt] = []
        """Revisions at which a compaction was asked for."""
        self.owned: list[bytes] = []
        """The keys that locks and campaigns have made."""
        self.streams: list[int] = []
        """Watch streams that are open."""
        self.campaigns: list[LeaderKey] = []
        """What the campaigns of this sequence will have brought, if they won."""
        self.leading: dict[bytes, LeaderKey] = {}
        """By their keys, those of them who seem to lead still."""
        self.granted: list[Permission] = []
        """The permissions of roles."""
        self.gone: list[str] = []
        """Users and roles that were deleted, the last one last."""
        self.next: Operation | None = None
        """After the deletion of a user or a role, its addition, and after that what shows whether anything of it is
        left; after a candidate that was gone at once, who observes: seldom drawn one after the other by chance."""
        self.tokens: list[tuple[str, str]] = []
        """Names of users, and the tokens that they got."""
        self.alarms: list[tuple[int, int]] = []
        """The members and the kinds of alarms that were raised and not disarmed."""
        self.members: list[MemberOf] = []
        """Members that were added as learners, if they were."""
        self.peer_urls: list[str] = []
        """The URLs that they had, the last one last."""
        self.steps = 0
        self.range_ends = self._range_ends()

    @property
    def own_leases(self) -> list[int]:
        """The ids of the caller's own under which leases are granted."""
        return list(self._own_ids.values())

    def may_draw(self, operation: type[Operation]) -> bool:
        """Whether every target knows it."""
        return self.operations is None or operation_name(operation) in self.operations

    def follow(self, operation: Operation) -> None:
        """The operation has been applied, as the next step."""
        self.steps += 1
        self.next = None
        match bare(operation):
            case Put() | Txn() | DeleteRange() as write:
                changes = list(self._changes(write))
                for change in changes:
                    self._follow_change(change)
                self._observe_next(changes)
                self.is_long_there |= any(change.key == LONG_RANGE[-1] for change in changes)
            case LeaseGrant(id=own):
                self.live.append(LeaseOf(self.steps))
                if own and own not in self.own_leases:
                    self._own_ids[LeaseOf(self.steps)] = own
            case LeaseRevoke(id=lease):
                self._follow_revoke(lease)
            case Compact(revision=RevisionAt() as revision):
                self.compacted.append(revision)
            case WatchCreate(stream=stream) if stream not in self.streams:
                self.streams.append(stream)
            case WatchClose(stream=stream) if stream in self.streams:
                self.streams.remove(stream)
            case Lock(name, lease, meanwhile) | Campaign(name, lease, _, meanwhile) if isinstance(
                meanwhile, LeaseRevoke
            ):
                self._follow_revoke(meanwhile.id)
                self._own(key_of(name, lease))
            case Lock(name, lease):
                self._own(key_of(name, lease))
            case Campaign(name, lease):
                self._own(key_of(name, lease))
                self.campaigns.append(LeaderKey(name, key_of(name, lease), RevisionAt(self.steps), lease))
                if lease in self.own_leases:
                    self.leading.setdefault(key_of(name, lease), self.campaigns[-1])
            case Resign(leader=LeaderKey(key=key)) | Unlock(key=key):
                self.leading.pop(key, None)
            case RoleGrantPermission(perm=Permission() as granted) if granted.key:
                self.granted.append(granted)
            case UserDelete(name=name):
                self.gone.append(name)
                self.next = UserAdd(name, "p")
            case UserAdd(name=name) if name in self.gone:
                self.next = UserGet(name)
            case RoleDelete(role=name):
                self.gone.append(name)
                self.next = RoleAdd(name)
            case RoleAdd(name=name) if name in self.gone:
                self.next = RoleGet(name)
            case Proclaim(leader=LeaderKey(key=key)) if key and len(key) <= _LONGEST_KEY:
                self.written.append(key)
            case Authenticate(name):
                self.tokens = [*self.tokens[-7:], (name, TokenOf(self.steps))]
            case Alarm(AlarmAction.ACTIVATE, member, kind):
                self.alarms.append((member, kind))
            case Alarm(AlarmAction.DEACTIVATE, member, kind):
                self.alarms = [raised for raised in self.alarms if raised != (member, kind)]
            case MemberAdd(peer_urls=urls, is_learner=True):
                self.members.append(MemberOf(self.steps))
                self.peer_urls += urls
            case MemberUpdate(peer_urls=urls):
                self.peer_urls += urls
            case _:
                pass

    def _changes(self, operation: Operation) -> Iterator[Put | DeleteRange]:
        """What an operation writes and deletes, as far as its compares seem to hold."""
        match operation:
            case Put() | DeleteRange():
                yield operation
            case Txn(compares, success, failure):
                for request in success if all(map(self._seems_to_hold, compares)) else failure:
                    yield from self._changes(request)

    def _seems_to_hold(self, compare: Compare) -> bool:
        """Only the question whether a key is there is looked into."""
        if compare.result != CompareResult.EQUAL or compare.target in (CompareTarget.LEASE, CompareTarget.VALUE):
            return True
        return bool(compare.operand) == (compare.key in self.there)

    def _follow_change(self, change: Put | DeleteRange) -> None:
        if isinstance(change, DeleteRange):
            self._forget(key for key in self.there if _in_range(key, change.key, change.range_end))
            self.leading = {
                key: leader for key, leader in self.leading.items() if not _in_range(key, change.key, change.range_end)
            }
        elif change.key and len(change.key) <= _LONGEST_KEY and change.key not in LONG_RANGE:
            self.written.append(change.key)
            before = self.there.get(change.key)
            created = before.created if before else self.steps
            self.there[change.key] = Written(change.value, created, self.steps, change.lease)

    def _observe_next(self, changes: Collection[Put | DeleteRange]) -> None:
        """Of changes of one revision: a candidate's key that was put in it and is gone again is seen only by who
        observes the election next."""
        for change in changes:
            name, slash, _ = change.key.partition(b"/")
            if isinstance(change, Put) and slash and change.key not in self.there:
                self.next = Observe(name)

    def _follow_revoke(self, lease: int) -> None:
        if isinstance(lease, LeaseOf) and lease in self.live:
            self.live.remove(lease)
            self.stale.append(lease)
        own = self._own_ids.get(lease, lease)
        self._own_ids = {made: other for made, other in self._own_ids.items() if other != own}
        self.leading = {key: leader for key, leader in self.leading.items() if leader.lease != own}
        self._forget(key for key, written in self.there.items() if written.lease in (lease, own))

    def _own(self, key: bytes) -> None:
        if len(key) <= _LONGEST_KEY:
            self.owned.append(key)

    def _forget(self, keys: Iterable[bytes]) -> None:
        gone = list(keys)
        for key in gone:
            del self.there[key]
        if gone:
            self.deletions.append(self.steps)

    def stream(self, choices: ChoiceDecoder) -> int:
        """A stream that is open, or the first."""
        return choices.pick(self.streams) if self.streams else 0

    def _range_ends(self) -> tuple[bytes, ...]:
        prefixes = [key[:-1] + bytes([key[-1] + 1]) for key in self.keys if key[-1] < 0xFF]
        return (*prefixes, FROM_KEY, FROM_KEY, *self.keys, b"\x00\x00")

    def key(self, choices: ChoiceDecoder) -> bytes:
        if self.invalid_inputs and choices.one_in(60):
            return b""
        if self.owned and choices.one_in(8):
            return choices.pick(self.owned[-3:])
        if self.granted and not choices.one_in(2):  # elsewhere, most requests are refused
            return choices.pick(self.granted[-4:]).key
        return choices.pick(self.keys)

    def key_to_read(self, choices: ChoiceDecoder) -> bytes:
        """Mostly one that was written not long ago. As many choices are made as where nothing was written, so that
        Hypothesis can take the step out that wrote it."""
        key, any_key, ago = self.key(choices), choices.one_in(3), choices.count(2)
        return key if any_key or not self.written else self.written[-1 - min(ago, len(self.written) - 1)]

    def key_to_delete(self, choices: ChoiceDecoder) -> bytes:
        """Mostly one that is there: the next one above what was drawn, or the last."""
        key = self.key(choices)
        if choices.one_in(4) or not self.there:
            return key
        return min((one for one in self.there if one >= key), default=max(self.there))

    def new_key(self, choices: ChoiceDecoder) -> bytes:
        """One that is not there, where there is such a one."""
        return choices.pick([key for key in self.keys if key not in self.there] or self.keys)

    def first_key(self, choices: ChoiceDecoder) -> bytes:
        """Of a range: the first one that is there, or the lower one of two, so that there is something above it."""
        lower = min(self.key_to_read(choices), self.key(choices))
        return min(self.there) if choices.one_in(2) and self.there else lower

    def range_end(self, choices: ChoiceDecoder, key: bytes) -> bytes:
        """Every form of it: a prefix's end, from-key, another key, a literal two zero bytes; mostly one that lies above
        the key."""
        granted = [permission.range_end for permission in self.granted if permission.key == key]
        if granted and not choices.one_in(2):
            return choices.pick(granted)
        if choices.one_in(3) and key and key[-1] < 0xFF:
            return key[:-1] + bytes([key[-1] + 1])
        if choices.one_in(4):
            return choices.pick(self.range_ends)
        return choices.pick([end for end in self.range_ends if end > key or end == FROM_KEY])

    def gone_again(self, choices: ChoiceDecoder, names: Collection[str], otherwise: str) -> str:
        """Where one of these names was deleted, mostly that, so that what comes after it has the same name."""
        gone, again = [name for name in self.gone if name in names], not choices.one_in(3)
        return gone[-1] if gone and again else otherwise

    def across_permissions(self) -> list[tuple[bytes, bytes]]:
        """The key and the end of each range over two permissions, of which one begins where the other ends."""
        return [
            (first.key, second.range_end or second.key + b"\0")
            for first in self.granted
            for second in self.granted
            if first.range_end == second.key > first.key
        ]

    def value(self, choices: ChoiceDecoder) -> bytes:
        """Mostly one of a few, so that they meet again; seldom a long one."""
        return choices.pick(LONG_VALUES) if choices.one_in(40) else choices.pick(self.values)

    def value_to_compare(self, choices: ChoiceDecoder, key: bytes) -> bytes:
        """Often the one that the key has."""
        value, same = self.value(choices), choices.one_in(3)
        return self.there[key].value if same and key in self.there else value

    def lease(self, choices: ChoiceDecoder) -> int:
        """A living lease of this sequence, 0 where there is none; sometimes one that was revoked, or never was."""
        if self.invalid_inputs and choices.one_in(6):
            return choices.pick((UNKNOWN_LEASE, *self.stale[-3:]))
        return choices.pick(self.live[-4:]) if self.live else 0

    def lease_for(self, choices: ChoiceDecoder, key: bytes) -> int:
        """For a put of the key: often another one than it has."""
        lease, another = self.lease(choices), choices.one_in(3)
        if another and key in self.there and lease == self.there[key].lease:
            return next((one for one in self.live if one != lease), lease)
        return lease

    def lease_with_keys(self, choices: ChoiceDecoder) -> int:
        """Mostly one that keys are attached to."""
        lease = self.lease(choices)
        attached = [one for one in self.live if any(written.lease == one for written in self.there.values())]
        return lease if choices.one_in(4) or lease in attached or not attached else attached[-1]

    def revision(self, choices: ChoiceDecoder) -> int:
        """One that was, is, or is yet to be; sometimes one that can't be."""
        if self.invalid_inputs and choices.one_in(12):
            return choices.pick((-1, -2, -(2**63)))
        if self.compacted and choices.one_in(4):
            compacted = choices.pick(self.compacted[-2:])
            return RevisionAt(compacted.step, compacted.plus + choices.pick((0, 0, 1, -1)))
        if choices.one_in(6) and self.deletions:
            return self._around_a_deletion(choices)
        step = self.steps - choices.count(min(self.steps, 8)) if not choices.one_in(4) else choices.count(self.steps)
        return RevisionAt(step, choices.pick((0, 0, 0, 0, -1, 1, 0, 7)))

    def revision_to_compact(self, choices: ChoiceDecoder) -> int:
        """Mostly one of the last few, which is not compacted yet; often one at a deletion, or beside it."""
        if choices.one_in(3):
            return self.revision(choices)
        if self.deletions and not choices.one_in(2):
            return self._around_a_deletion(choices)
        return RevisionAt(self.steps - choices.count(min(self.steps, 3)))

    def _around_a_deletion(self, choices: ChoiceDecoder) -> RevisionAt:
        return RevisionAt(choices.pick(self.deletions[-2:]), choices.pick((0, -1, 1)))


def _in_range(key: bytes, first: bytes, range_end: bytes) -> bool:
    """Whether a range names a key."""
    if not range_end:
        return key == first
    return key >= first and (range_end == FROM_KEY or key < range_end)
