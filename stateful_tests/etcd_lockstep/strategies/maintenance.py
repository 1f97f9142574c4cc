"""The maintenance family: Maintenance and Cluster, and requests at the limits of size."""

from __future__ import annotations

from etcd_lockstep.strategies.dice import Dice
from etcd_lockstep.strategies.vocabulary import Vocabulary
from etcd_model.operations import (
    MEMBER_ID,
    Alarm,
    AlarmAction,
    AlarmType,
    Defragment,
    Downgrade,
    DowngradeAction,
    Hash,
    HashKV,
    MemberAdd,
    MemberList,
    MemberPromote,
    MemberRemove,
    MemberUpdate,
    MoveLeader,
    Put,
    Snapshot,
    Status,
)

_NO_MEMBER = 404
_MEMBERS = (0, MEMBER_ID, _NO_MEMBER)
_BAD_URLS = ((), ("",), ("nonsense",), ("http://127.0.0.1",), ("ftp://127.0.0.1:1",))
_VERSIONS = ("", "nonsense", "3.4.0", "3.5", "3.5.0", "3.6.0", "3.7.0", "9.9.9")
_SIZES = (1_000_000, 1_572_000, 1_573_000, 2_100_000)
"""Bytes of a value: accepted, nearly too large, too large for raft, too large for a gRPC message."""


def status(_dice: Dice, _words: Vocabulary) -> Status:
    return Status()


def alarm(dice: Dice, _words: Vocabulary) -> Alarm:
    """Raised, looked at and disarmed, in turns."""
    action = dice.pick((AlarmAction.ACTIVATE, AlarmAction.GET, AlarmAction.DEACTIVATE, AlarmAction.ACTIVATE))
    kind = dice.pick((AlarmType.NOSPACE, AlarmType.NOSPACE, AlarmType.NONE, AlarmType.CORRUPT))
    return Alarm(action, dice.pick((MEMBER_ID, MEMBER_ID, *_MEMBERS)), kind)


def defragment(_dice: Dice, _words: Vocabulary) -> Defragment:
    return Defragment()


def hash_(_dice: Dice, _words: Vocabulary) -> Hash:
    return Hash()


def hash_kv(dice: Dice, words: Vocabulary) -> HashKV:
    return HashKV(words.revision(dice) if dice.pick((False, True)) else 0)


def snapshot(_dice: Dice, _words: Vocabulary) -> Snapshot:
    return Snapshot()


def move_leader(dice: Dice, _words: Vocabulary) -> MoveLeader:
    return MoveLeader(dice.pick((0, _NO_MEMBER, MEMBER_ID)))


def downgrade(dice: Dice, _words: Vocabulary) -> Downgrade:
    return Downgrade(dice.pick((*DowngradeAction, 7)), dice.pick(_VERSIONS))


def member_list(dice: Dice, _words: Vocabulary) -> MemberList:
    return MemberList(dice.pick((False, True)))


def member_add(dice: Dice, _words: Vocabulary) -> MemberAdd:
    """Refused: a second member would take the first one's quorum."""
    return MemberAdd(dice.pick(_BAD_URLS), dice.pick((False, True)))


def member_remove(dice: Dice, _words: Vocabulary) -> MemberRemove:
    return MemberRemove(dice.pick((_NO_MEMBER, 0)))


def member_update(dice: Dice, _words: Vocabulary) -> MemberUpdate:
    return MemberUpdate(dice.pick((_NO_MEMBER, MEMBER_ID)), dice.pick(_BAD_URLS))


def member_promote(dice: Dice, _words: Vocabulary) -> MemberPromote:
    return MemberPromote(dice.pick(_MEMBERS))


def large_put(dice: Dice, words: Vocabulary) -> Put:
    return Put(words.key(dice), b"x" * dice.pick(_SIZES))
