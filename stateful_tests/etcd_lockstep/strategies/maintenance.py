"""The maintenance family: Maintenance and Cluster, and requests at the limits of size."""

from __future__ import annotations

from etcd_lockstep.strategies import txn
from etcd_lockstep.strategies.dice import Dice
from etcd_lockstep.strategies.vocabulary import OWN_LEASE_IDS, Vocabulary
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
    Lock,
    MemberAdd,
    MemberList,
    MemberPromote,
    MemberRemove,
    MemberUpdate,
    MoveLeader,
    Put,
    Snapshot,
    Status,
    Txn,
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


# Where there is no space


def disarm(dice: Dice, words: Vocabulary) -> Alarm:
    """What the server raises by itself is looked at and disarmed; sometimes it has company."""
    if dice.one_in(6):
        return alarm(dice, words)
    action = dice.pick((AlarmAction.GET, AlarmAction.DEACTIVATE))
    return Alarm(action, MEMBER_ID, AlarmType.NOSPACE)


def nesting_txn(dice: Dice, words: Vocabulary) -> Txn:
    """A txn with another in it, on whose puts versions differ; half of the time."""
    drawn = txn.txn(dice, words, depth=1)
    match dice.pick((0, 1, 2, 3)):
        case 0:
            return Txn(success=(drawn,))
        case 1:
            return Txn(drawn.compare, failure=(drawn,))
        case _:
            return drawn


def lock(dice: Dice, words: Vocabulary) -> Lock:
    """With a lease, or for a lease that the server has to grant first."""
    return Lock(words.key(dice), dice.pick((0, *OWN_LEASE_IDS)))
