"""The maintenance family: Maintenance and Cluster, and requests at the limits of size."""

from __future__ import annotations

from etcd_lockstep.strategies import txn
from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import OWN_LEASE_IDS, GeneratorState
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


def status(_choices: ChoiceDecoder, _state: GeneratorState) -> Status:
    return Status()


def alarm(choices: ChoiceDecoder, _state: GeneratorState) -> Alarm:
    """Raised, looked at and disarmed, in turns."""
    action = choices.pick((AlarmAction.ACTIVATE, AlarmAction.GET, AlarmAction.DEACTIVATE, AlarmAction.ACTIVATE))
    kind = choices.pick((AlarmType.NOSPACE, AlarmType.NOSPACE, AlarmType.NONE, AlarmType.CORRUPT))
    return Alarm(action, choices.pick((MEMBER_ID, MEMBER_ID, *_MEMBERS)), kind)


def defragment(_choices: ChoiceDecoder, _state: GeneratorState) -> Defragment:
    return Defragment()


def hash_(_choices: ChoiceDecoder, _state: GeneratorState) -> Hash:
    return Hash()


def hash_kv(choices: ChoiceDecoder, state: GeneratorState) -> HashKV:
    return HashKV(state.revision(choices) if choices.pick((False, True)) else 0)


def snapshot(_choices: ChoiceDecoder, _state: GeneratorState) -> Snapshot:
    return Snapshot()


def move_leader(choices: ChoiceDecoder, _state: GeneratorState) -> MoveLeader:
    return MoveLeader(choices.pick((0, _NO_MEMBER, MEMBER_ID)))


def downgrade(choices: ChoiceDecoder, _state: GeneratorState) -> Downgrade:
    return Downgrade(choices.pick((*DowngradeAction, 7)), choices.pick(_VERSIONS))


def member_list(choices: ChoiceDecoder, _state: GeneratorState) -> MemberList:
    return MemberList(choices.pick((False, True)))


def member_add(choices: ChoiceDecoder, _state: GeneratorState) -> MemberAdd:
    """Refused: a second member would take the first one's quorum."""
    return MemberAdd(choices.pick(_BAD_URLS), choices.pick((False, True)))


def member_remove(choices: ChoiceDecoder, _state: GeneratorState) -> MemberRemove:
    return MemberRemove(choices.pick((_NO_MEMBER, 0)))


def member_update(choices: ChoiceDecoder, _state: GeneratorState) -> MemberUpdate:
    return MemberUpdate(choices.pick((_NO_MEMBER, MEMBER_ID)), choices.pick(_BAD_URLS))


def member_promote(choices: ChoiceDecoder, _state: GeneratorState) -> MemberPromote:
    return MemberPromote(choices.pick(_MEMBERS))


def large_put(choices: ChoiceDecoder, state: GeneratorState) -> Put:
    return Put(state.key(choices), b"x" * choices.pick(_SIZES))


# Where there is no space


def disarm(choices: ChoiceDecoder, state: GeneratorState) -> Alarm:
    """What the server raises by itself is looked at and disarmed; sometimes it has company."""
    if choices.one_in(6):
        return alarm(choices, state)
    action = choices.pick((AlarmAction.GET, AlarmAction.DEACTIVATE))
    return Alarm(action, MEMBER_ID, AlarmType.NOSPACE)


def nesting_txn(choices: ChoiceDecoder, state: GeneratorState) -> Txn:
    """A txn with another in it, on whose puts versions differ; half of the time."""
    drawn = txn.txn(choices, state, depth=1)
    match choices.pick((0, 1, 2, 3)):
        case 0:
            return Txn(success=(drawn,))
        case 1:
            return Txn(drawn.compare, failure=(drawn,))
        case _:
            return drawn


def lock(choices: ChoiceDecoder, state: GeneratorState) -> Lock:
    """With a lease, or for a lease that the server has to grant first."""
    return Lock(state.key(choices), choices.pick((0, *OWN_LEASE_IDS)))
