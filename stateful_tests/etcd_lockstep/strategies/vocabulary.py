"""What operations of one sequence talk about: keys, values, leases, revisions."""

from __future__ import annotations

from collections.abc import Sequence

from etcd_lockstep.strategies.dice import Dice
from etcd_lockstep.trace import UNKNOWN_LEASE, LeaseOf, RevisionAt
from etcd_model.ranges import FROM_KEY

KEYS = (b"a", b"ab", b"b", b"a\x00", b"aa", b"a\xff")
"""Few, so that operations meet; prefixes of each other and one byte apart, so that ranges have edges."""

MOST_KEYS = 6
"""From seven equal elements on, the order in which etcd sorts ties depends on the Go that built it."""

VALUES = (b"1", b"2", b"", b"a", b"\x00")

OWN_LEASE_IDS = (7, 8, -5)
"""Lease ids that callers pick; negative ones are legal."""


class Vocabulary:
    """The words of one sequence. It grows with the sequence: leases are granted, revisions go by."""

    def __init__(self, keys: Sequence[bytes] = KEYS, *, hostile: bool = True, plain: bool = False) -> None:
        self.keys = tuple(keys)
        self.hostile = hostile
        """Whether requests may be invalid on purpose."""
        self.plain = plain
        """Whether requests do without options. Where a target lies about one, every other sequence is about that
        one; in a plain sequence nothing stands before what it does to keys and leases."""
        self.granted: list[LeaseOf] = []
        self.steps = 0
        self.range_ends = self._range_ends()

    def _range_ends(self) -> tuple[bytes, ...]:
        prefixes = [key[:-1] + bytes([key[-1] + 1]) for key in self.keys if key[-1] < 0xFF]
        return (*prefixes, FROM_KEY, FROM_KEY, *self.keys, b"\x00\x00")

    def key(self, dice: Dice) -> bytes:
        if self.hostile and dice.one_in(60):
            return b""
        return dice.pick(self.keys)

    def range_end(self, dice: Dice, key: bytes) -> bytes:
        """Every form of it: a prefix's end, from-key, one that lies below the key, a literal two zero bytes."""
        if dice.one_in(3) and key and key[-1] < 0xFF:
            return key[:-1] + bytes([key[-1] + 1])
        return dice.pick(self.range_ends)

    def value(self, dice: Dice) -> bytes:
        return dice.pick(VALUES)

    def lease(self, dice: Dice) -> int:
        """A lease of this sequence, mostly a recent one; it may be revoked by now. Sometimes one that never was."""
        if not self.granted or dice.one_in(12):
            return UNKNOWN_LEASE if self.hostile else 0
        return dice.pick(self.granted[-4:])

    def revision(self, dice: Dice) -> int:
        """One that was, is, or is yet to be; sometimes one that can't be."""
        if self.hostile and dice.one_in(12):
            return dice.pick((-1, -2, -(2**63)))
        step = self.steps - dice.count(min(self.steps, 8)) if not dice.one_in(4) else dice.count(self.steps)
        return RevisionAt(step, dice.pick((0, 0, 0, 0, -1, 1, 0, 7)))
