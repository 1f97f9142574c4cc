"""The maintenance family: Maintenance and Cluster, and requests at the limits of size."""

from __future__ import annotations

from etcd_lockstep.strategies import txn
from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import OWN_LEASE_IDS, GeneratorState
from etcd_model import operations as op
from etcd_model.sizes import MARGIN, MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES

_NO_MEMBER = 404
_MEMBERS = (0, op.MEMBER_ID, _NO_MEMBER)
_BAD_URLS = ((), ("",), ("nonsense",), ("http://127.0.0.1",), ("ftp://127.0.0.1:1",))
_VERSIONS = ("", "nonsense", "3.4.0", "3.5", "3.5.0", "3.6.0", "3.7.0", "9.9.9")
_SIZES = (
    1_000_000,
    MAX_REQUEST_BYTES - 2 * MARGIN,
    MAX_REQUEST_BYTES + 2 * MARGIN,
    2_000_000,
    *range(MAX_MESSAGE_BYTES - 20, MAX_MESSAGE_BYTES, 2),
    2_100_000,
)
"""Bytes of a key or a value: accepted, nearly too large, just too large for raft, too large; around the limit of a gRPC
message; too large for one."""


def status(_choices: ChoiceDecoder, _state: GeneratorState) -> op.Status:
    return op.Status()


def alarm(choices: ChoiceDecoder, state: GeneratorState) -> op.Alarm:
    """Raised, looked at and disarmed, in turns; often one that is raised is disarmed, or another of the same member
    raised."""
    if choices.one_in(3) and state.alarms:
        member, kind = choices.pick(state.alarms[-2:])
        if choices.pick((True, False)):
            return op.Alarm(op.AlarmAction.DEACTIVATE, member, kind)
        return op.Alarm(op.AlarmAction.ACTIVATE, member, choices.pick((op.AlarmType.NOSPACE, op.AlarmType.CORRUPT)))
    action = choices.pick(
        (op.AlarmAction.ACTIVATE, op.AlarmAction.GET, op.AlarmAction.DEACTIVATE, op.AlarmAction.ACTIVATE)
    )
    kind = choices.pick((op.AlarmType.NOSPACE, op.AlarmType.NOSPACE, op.AlarmType.NONE, op.AlarmType.CORRUPT))
    return op.Alarm(action, choices.pick((op.MEMBER_ID, op.MEMBER_ID, *_MEMBERS)), kind)


def defragment(_choices: ChoiceDecoder, _state: GeneratorState) -> op.Defragment:
    return op.Defragment()


def hash_(_choices: ChoiceDecoder, _state: GeneratorState) -> op.Hash:
    return op.Hash()


def hash_kv(choices: ChoiceDecoder, state: GeneratorState) -> op.HashKV:
    return op.HashKV(state.revision(choices) if choices.pick((False, True)) else 0)


def snapshot(_choices: ChoiceDecoder, _state: GeneratorState) -> op.Snapshot:
    return op.Snapshot()


def move_leader(choices: ChoiceDecoder, state: GeneratorState) -> op.MoveLeader:
    return op.MoveLeader(choices.pick((0, _NO_MEMBER, op.MEMBER_ID, *state.members[-2:])))


def downgrade(choices: ChoiceDecoder, _state: GeneratorState) -> op.Downgrade:
    return op.Downgrade(choices.pick((*op.DowngradeAction, 7)), choices.pick(_VERSIONS))


def member_list(choices: ChoiceDecoder, _state: GeneratorState) -> op.MemberList:
    return op.MemberList(choices.pick((False, True)))


def member_add(choices: ChoiceDecoder, state: GeneratorState) -> op.MemberAdd:
    """Mostly a learner, without which the server can do. A voting member is let in where it is refused only."""
    if choices.one_in(4):
        return op.MemberAdd(choices.pick(_BAD_URLS), choices.pick((False, True)))
    urls = _peer_urls(choices, state)
    return op.MemberAdd(_padded(urls) if choices.one_in(12) else urls, not choices.one_in(5))


def member_remove(choices: ChoiceDecoder, state: GeneratorState) -> op.MemberRemove:
    if state.members and not choices.one_in(3):
        return op.MemberRemove(choices.pick(state.members[-2:]))
    return op.MemberRemove(choices.pick((_NO_MEMBER, 0, op.MEMBER_ID)))


def member_update(choices: ChoiceDecoder, state: GeneratorState) -> op.MemberUpdate:
    if state.members and not choices.one_in(3):
        return op.MemberUpdate(choices.pick(state.members[-2:]), _peer_urls(choices, state))
    member_id = choices.pick((_NO_MEMBER, op.MEMBER_ID))
    return op.MemberUpdate(member_id, choices.pick((*_BAD_URLS, *((url,) for url in state.peer_urls[-2:]))))


def member_promote(choices: ChoiceDecoder, state: GeneratorState) -> op.MemberPromote:
    return op.MemberPromote(choices.pick((*_MEMBERS, *state.members[-2:])))


def _peer_urls(choices: ChoiceDecoder, state: GeneratorState) -> tuple[str, ...]:
    """One or two at which nobody listens; sometimes one that a member has, or had."""
    urls = [_peer_url(choices) for _ in range(1 + choices.count(1))]
    if state.peer_urls and choices.one_in(5):
        urls.append(choices.pick(state.peer_urls[-3:]))
    return tuple(urls)


def _padded(urls: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f" {url} " for url in urls)


def _peer_url(choices: ChoiceDecoder) -> str:
    """One of very many: the same ones twice in a second cost a second (`Wire`)."""
    port, host = 1 + choices.count(998), 1 + choices.count(249)
    form = choices.pick(
        ("http://127.0.0.{}:{}",) * 3 + ("HTTPS://127.0.0.{}:{}", "unix://127.0.0.{}:{}", "unix://{}/{}")
    )
    return form.format(host, port)


def large_put(choices: ChoiceDecoder, state: GeneratorState) -> op.Put:
    """Mostly for its value."""
    large = b"x" * choices.pick(_SIZES)
    return op.Put(state.key(choices), large) if not choices.one_in(4) else op.Put(large)


def large_delete(choices: ChoiceDecoder, state: GeneratorState) -> op.DeleteRange:
    large = b"x" * choices.pick(_SIZES)
    return op.DeleteRange(state.key(choices), large) if choices.pick((False, True)) else op.DeleteRange(large)


def large_range(choices: ChoiceDecoder, _state: GeneratorState) -> op.Range:
    """Only a message has a limit here."""
    return op.Range(b"x" * choices.pick(_SIZES))


def large_txn(choices: ChoiceDecoder, state: GeneratorState) -> op.Txn:
    """Of one large put, or of two that are large together."""
    size = choices.pick(_SIZES)
    if choices.pick((True, False)):
        return op.Txn(success=(op.Put(state.key(choices), b"x" * size),))
    return op.Txn(success=(op.Put(b"a", b"x" * (size // 2)), op.Put(b"b", b"x" * (size - size // 2))))


def large_lock(choices: ChoiceDecoder, _state: GeneratorState) -> op.Lock:
    """The key is named more often than once in what a lock sends to the store."""
    return op.Lock(b"x" * choices.pick((1_400_000, 2_100_000)), choices.pick(OWN_LEASE_IDS))


# Where there is no space


def disarm(choices: ChoiceDecoder, state: GeneratorState) -> op.Alarm:
    """What the server raises by itself is looked at and disarmed; sometimes it has company."""
    if choices.one_in(6):
        return alarm(choices, state)
    action = choices.pick((op.AlarmAction.GET, op.AlarmAction.DEACTIVATE))
    return op.Alarm(action, op.MEMBER_ID, op.AlarmType.NOSPACE)


def nesting_txn(choices: ChoiceDecoder, state: GeneratorState) -> op.Txn:
    """A txn with another in it, on whose puts versions differ; half of the time."""
    drawn = txn.txn(choices, state, depth=1)
    match choices.pick((0, 1, 2, 3)):
        case 0:
            return op.Txn(success=(drawn,))
        case 1:
            return op.Txn(drawn.compare, failure=(drawn,))
        case _:
            return drawn


def lock(choices: ChoiceDecoder, state: GeneratorState) -> op.Lock:
    """With a lease, or for a lease that the server has to grant first."""
    return op.Lock(state.key(choices), choices.pick((0, *OWN_LEASE_IDS)))
