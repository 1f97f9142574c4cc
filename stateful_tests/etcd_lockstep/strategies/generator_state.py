"""What operations of one sequence talk about: keys, values, leases, revisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.trace import UNKNOWN_LEASE, LeaseOf, RevisionAt, TokenOf, bare
from etcd_model.lock import key_of
from etcd_model.operations import (
    Authenticate,
    Campaign,
    Compact,
    DeleteRange,
    LeaderKey,
    LeaseGrant,
    LeaseRevoke,
    Operation,
    Put,
    Txn,
    WatchClose,
    WatchCreate,
)
from etcd_model.ranges import FROM_KEY

KEYS = (b"a", b"ab", b"b", b"a\x00", b"aa", b"a\xff")
"""Few, so that operations meet; prefixes of each other and one byte apart, so that ranges have edges."""

MOST_KEYS = 6
"""From seven equal elements on, the order in which etcd sorts ties depends on the Go that built it."""

VALUES = (b"1", b"2", b"", b"a", b"\x00", b"\xff\xc3(", b"long " * 60)
"""Beside usual ones: none, a zero byte, what is no UTF-8, and one that is longer than a line."""

OWN_LEASE_IDS = (7, 8, -5)
"""Lease ids that callers pick; negative ones are legal."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was put under a key, and after which step it was created and modified."""

    value: bytes
    created: int
    modified: int


class GeneratorState:
    """The state of one sequence. It grows with the sequence: leases are granted, revisions go by."""

    def __init__(
        self,
        keys: Sequence[bytes] = KEYS,
        *,
        txns: Sequence[Txn] = (),
        invalid_inputs: bool = True,
        defaults_only: bool = False,
    ) -> None:
        self.keys = tuple(keys)
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
        self.own_leases: list[int] = []
        """The ids of those that were granted under an id of the caller's own."""
        self.written: list[bytes] = []
        """Keys that were put, the last one last."""
        self.there: dict[bytes, Written] = {}
        """What the keys hold, as far as puts and deletions of single keys say; a guess, since a txn may take either
        branch."""
        self.compacted: list[int] = []
        """Revisions at which a compaction was asked for."""
        self.streams: list[int] = []
        """Watch streams that are open."""
        self.campaigns: list[LeaderKey] = []
        """What the campaigns of this sequence will have brought, if they won."""
        self.tokens: list[tuple[str, str]] = []
        """Names of users, and the tokens that they got."""
        self.steps = 0
        self.range_ends = self._range_ends()

    def follow(self, operation: Operation) -> None:
        """The operation has been applied, as the next step."""
        self.steps += 1
        match bare(operation):
            case Put() | Txn() as write:
                for put in puts(write):
                    if put.key:
                        self.written.append(put.key)
                        before = self.there.get(put.key)
                        self.there[put.key] = Written(put.value, before.created if before else self.steps, self.steps)
            case DeleteRange(key=key):
                self.there.pop(key, None)
            case LeaseGrant(id=own):
                self.live.append(LeaseOf(self.steps))
                if own and own not in self.own_leases:
                    self.own_leases.append(own)
            case LeaseRevoke(id=LeaseOf() as lease) if lease in self.live:
                self.live.remove(lease)
                self.stale.append(lease)
            case Compact(revision=RevisionAt() as revision):
                self.compacted.append(revision)
            case WatchCreate(stream=stream) if stream not in self.streams:
                self.streams.append(stream)
            case WatchClose(stream=stream) if stream in self.streams:
                self.streams.remove(stream)
            case Campaign(name, lease):
                self.campaigns.append(LeaderKey(name, key_of(name, lease), RevisionAt(self.steps), lease))
            case Authenticate(name):
                self.tokens = [*self.tokens[-7:], (name, TokenOf(self.steps))]
            case _:
                pass

    def stream(self, choices: ChoiceDecoder) -> int:
        """A stream that is open, or the first."""
        return choices.pick(self.streams) if self.streams else 0

    def _range_ends(self) -> tuple[bytes, ...]:
        prefixes = [key[:-1] + bytes([key[-1] + 1]) for key in self.keys if key[-1] < 0xFF]
        return (*prefixes, FROM_KEY, FROM_KEY, *self.keys, b"\x00\x00")

    def key(self, choices: ChoiceDecoder) -> bytes:
        if self.invalid_inputs and choices.one_in(60):
            return b""
        return choices.pick(self.keys)

    def key_to_read(self, choices: ChoiceDecoder) -> bytes:
        """Mostly one that was written not long ago."""
        if self.written and not choices.one_in(3):
            return choices.pick(self.written[-3:])
        return self.key(choices)

    def range_end(self, choices: ChoiceDecoder, key: bytes) -> bytes:
        """Every form of it: a prefix's end, from-key, one that lies below the key, a literal two zero bytes."""
        if choices.one_in(3) and key and key[-1] < 0xFF:
            return key[:-1] + bytes([key[-1] + 1])
        return choices.pick(self.range_ends)

    def value(self, choices: ChoiceDecoder) -> bytes:
        return choices.pick(VALUES)

    def lease(self, choices: ChoiceDecoder) -> int:
        """A living lease of this sequence, 0 where there is none; sometimes one that was revoked, or never was."""
        if self.invalid_inputs and choices.one_in(6):
            return choices.pick((UNKNOWN_LEASE, *self.stale[-3:]))
        return choices.pick(self.live[-4:]) if self.live else 0

    def revision(self, choices: ChoiceDecoder) -> int:
        """One that was, is, or is yet to be; sometimes one that can't be."""
        if self.invalid_inputs and choices.one_in(12):
            return choices.pick((-1, -2, -(2**63)))
        if self.compacted and choices.one_in(4):
            return choices.pick(self.compacted[-2:])
        step = self.steps - choices.count(min(self.steps, 8)) if not choices.one_in(4) else choices.count(self.steps)
        return RevisionAt(step, choices.pick((0, 0, 0, 0, -1, 1, 0, 7)))


def puts(operation: Operation) -> Iterator[Put]:
    """The puts of an operation: itself, or those in a txn's branches."""
    match operation:
        case Put():
            yield operation
        case Txn():
            for request in (*operation.success, *operation.failure):
                yield from puts(request)
