"""Shrinking: the shortest trace that still shows what was found.

Hypothesis shrinks the numbers it drew; this shrinks the trace itself. It takes steps out, and makes what is
left simpler, as long as the trace still shows the same thing: here step by step, and in `plainer` everywhere at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from etcd_lockstep.searching.acceptance import Acceptance, Judge
from etcd_lockstep.searching.findings import compares_a_range, comparing_keys, number_of_features
from etcd_lockstep.searching.plainer import EVERYWHERE, plainness
from etcd_lockstep.searching.renaming import with_symbol, with_user
from etcd_lockstep.strategies.operation_table import place, simpler
from etcd_lockstep.trace import (
    LeaseOf,
    MemberOf,
    RevisionAt,
    TokenOf,
    Trace,
    bare,
    expanded,
    keys_of,
    reordered,
    subtrace,
    symbols,
)
from etcd_model import operations as op

_PAIRS_UP_TO = 12
"""Steps below which every two of them are tried together: a grant goes only along with its revoke."""


def shrink(trace: Trace, judge: Judge) -> Trace:
    """The simplest trace found. The last step stays the last. It is never longer than the one given, but that what a
    txn does may become steps of their own.

    Raises `ShownByKnown` where a simpler step makes it a known lie. Four changes are passed over instead: steps
    taken out, for a long trace may show a known lie besides; where a lease is revoked, the lease of a put, for
    whose key goes with which lease is what many a lie is about; of a txn that compares ranges, anything but to compare
    keys instead, for a store that lies about ranges may lie about keys, too; and several options left out at once, for
    what is wrong without any of them may be another lie.
    """
    accepts = Acceptance(judge, trace)
    while True:
        smaller = _fewer_steps(trace, accepts)
        for make in (
            _one_advance,
            _one_lease,
            _one_user,
            _one_token,
            _one_member,
            _before_auth,
            _in_a_name,
            _puts_for_watchers,
            _deletes_instead,
            _puts_instead,
            _out_of_txns,
            _asked_otherwise,
            _watches_later,
            _simpler_steps,
            *EVERYWHERE,
            _in_order,
        ):
            smaller = make(smaller, accepts)
        if smaller == trace:
            return trace
        trace = smaller


def _fewer_steps(trace: Trace, accepts: Acceptance) -> Trace:
    size = len(trace) // 2
    while size:
        end = len(trace) - 1
        while end > 0:
            start = max(end - size, 0)
            candidate = subtrace(trace, [*range(start), *range(end, len(trace))])
            if accepts(candidate, faithful=False):
                trace = candidate
            end = start
        size //= 2
    return _without_pairs(trace, accepts)


def _without_pairs(trace: Trace, accepts: Acceptance) -> Trace:
    if len(trace) > _PAIRS_UP_TO:
        return trace
    for one, other in combinations(range(len(trace) - 1), 2):
        candidate = subtrace(trace, [index for index in range(len(trace)) if index not in (one, other)])
        if accepts(candidate, faithful=False):
            return _without_pairs(candidate, accepts)
    return trace


def _one_advance(trace: Trace, accepts: Acceptance) -> Trace:
    """Two waits made one, as long as both."""
    waits = [(index, operation) for index, operation in enumerate(trace[:-1]) if isinstance(operation, op.Advance)]
    for (gone, one), (kept, other) in combinations(waits, 2):
        longer = (*trace[:kept], op.Advance(one.seconds + other.seconds), *trace[kept + 1 :])
        candidate = subtrace(longer, [index for index in range(len(trace)) if index != gone])
        if accepts(candidate):
            return _one_advance(candidate, accepts)
    return trace


def _one_lease(trace: Trace, accepts: Acceptance) -> Trace:
    """Two leases made one: the later is not granted, and the earlier stands for it."""
    return _one_for_two(trace, op.LeaseGrant, LeaseOf, accepts)


def _one_token(trace: Trace, accepts: Acceptance) -> Trace:
    """Two tokens made one."""
    return _one_for_two(trace, op.Authenticate, TokenOf, accepts)


def _one_member(trace: Trace, accepts: Acceptance) -> Trace:
    """Two members made one."""
    return _one_for_two(trace, op.MemberAdd, MemberOf, accepts)


def _one_for_two(
    trace: Trace, maker: type[op.Operation], symbol: type[LeaseOf | TokenOf | MemberOf], accepts: Acceptance
) -> Trace:
    made = [index for index, operation in enumerate(trace[:-1]) if isinstance(operation, maker)]
    for kept, gone in combinations(made, 2):
        candidate = subtrace(
            tuple(with_symbol(operation, symbol(gone + 1), symbol(kept + 1)) for operation in trace),
            [index for index in range(len(trace)) if index != gone],
        )
        if accepts(candidate, faithful=False):
            return _one_for_two(candidate, maker, symbol, accepts)
    return trace


def _one_user(trace: Trace, accepts: Acceptance) -> Trace:
    """Two users made one: the first stands for another."""
    added = [(index, one.name) for index, one in enumerate(map(bare, trace[:-1])) if isinstance(one, op.UserAdd)]
    for (_, kept), (gone, name) in combinations(added, 2):
        renamed = tuple(with_user(operation, name, kept) for operation in trace)
        candidate = subtrace(renamed, [index for index in range(len(trace)) if index != gone])
        if accepts(candidate, faithful=False):
            return _one_user(candidate, accepts)
    return trace


def _out_of_txns(trace: Trace, accepts: Acceptance) -> Trace:
    """What a txn does, done by steps of their own."""
    for index, operation in enumerate(trace[:-1]):
        if isinstance(operation, op.Txn):
            for branch in (operation.success, operation.failure):
                if 1 < len(branch) <= _MOVED_OUT:
                    candidate = expanded(trace, index, branch)
                    if accepts(candidate, faithful=False):
                        return _out_of_txns(candidate, accepts)
    return trace


_MOVED_OUT = 3
"""Operations of a txn up to which they become steps of their own; more would be no simpler."""


def _asked_otherwise(trace: Trace, accepts: Acceptance) -> Trace:
    """A step that asks otherwise, and needs no other one for that: a compare can fail for a key that nobody has put, a
    password be wrong that nobody has changed, the last revision that was compacted be read, and who proclaims have won
    no election."""
    if len(trace) > _PAIRS_UP_TO:
        return trace
    for index, operation in enumerate(trace):
        for otherwise in (*_opposites(operation), *_below_compaction(operation, trace[:index])):
            for gone in range(index):
                asked = (*trace[:index], otherwise, *trace[index + 1 :])
                candidate = subtrace(asked, [at for at in range(len(trace)) if at != gone])
                if accepts(candidate, faithful=False):
                    return _asked_otherwise(candidate, accepts)
    return trace


def _opposites(operation: op.Operation) -> Iterator[op.Operation]:
    match operation:
        case op.Authenticate(password=password):
            yield replace(operation, password="q" if password == "p" else "p")
        case op.Txn(compare=compares):
            for index, compare in enumerate(compares):
                others = [replace(compare, result=_OPPOSITE[compare.result])] if compare.result in _OPPOSITE else []
                if isinstance(compare.operand, int) and compare.operand:
                    others.append(replace(compare, operand=0))
                for other in others:
                    yield replace(operation, compare=(*compares[:index], other, *compares[index + 1 :]))
        case op.Proclaim(leader=op.LeaderKey(rev=RevisionAt()) as leader):
            yield replace(operation, leader=replace(leader, rev=0))


def _below_compaction(operation: op.Operation, before: Trace) -> Iterator[op.Operation]:
    if not isinstance(operation, op.Range) or not isinstance(operation.revision, RevisionAt):
        return
    for earlier in before:
        if isinstance(earlier, op.Compact) and isinstance(earlier.revision, RevisionAt):
            yield replace(operation, revision=RevisionAt(earlier.revision.step, earlier.revision.plus - 1))


_OPPOSITE: dict[int, op.CompareResult] = {
    op.CompareResult.EQUAL: op.CompareResult.NOT_EQUAL,
    op.CompareResult.NOT_EQUAL: op.CompareResult.EQUAL,
}


def _watches_later(trace: Trace, accepts: Acceptance) -> Trace:
    """A watcher created later, where it may then begin with what happens next, or a step may go."""
    if len(trace) > _PAIRS_UP_TO:
        return trace
    for index, operation in enumerate(trace[:-1]):
        if not isinstance(operation, op.WatchCreate):
            continue
        for to in range(index + 1, len(trace) - 1):
            others = [*range(index), *range(index + 1, len(trace))]
            later = reordered(trace, [*others[:to], index, *others[to:]])
            if later is None:
                continue
            plainer = [subtrace(later, [at for at in range(len(later)) if at != gone]) for gone in range(to)]
            if operation.start_revision:
                plainer.append((*later[:to], replace(operation, start_revision=0), *later[to + 1 :]))
            for candidate in plainer:
                if accepts(candidate, faithful=False):
                    return _watches_later(candidate, accepts)
    return trace


def _before_auth(trace: Trace, accepts: Acceptance) -> Trace:
    """What is done in somebody's name once auth is on, done in nobody's name before."""
    enabled = next((index for index, operation in enumerate(trace) if isinstance(operation, op.AuthEnable)), len(trace))
    for index in range(enabled + 1, len(trace) - 1):
        operation = bare(trace[index])
        if operation is trace[index]:
            continue
        nameless = (*trace[:index], operation, *trace[index + 1 :])
        order = [*range(enabled), index, *(at for at in range(enabled, len(trace)) if at != index)]
        candidate = reordered(nameless, order)
        if candidate is not None and accepts(candidate, faithful=False):
            return _before_auth(candidate, accepts)
    return trace


def _in_a_name(trace: Trace, accepts: Acceptance) -> Trace:
    """What needs another step to be let in without a name, done in somebody's name and without that step."""
    if len(trace) > _PAIRS_UP_TO:
        return trace
    tokens = [index for index, operation in enumerate(trace) if isinstance(operation, op.Authenticate)]
    for index, operation in enumerate(trace[:-1]):
        if isinstance(operation, op.As | op.Authenticate):
            continue
        for token in tokens:
            for gone in range(token + 1, index):
                named = (*trace[:index], op.As(TokenOf(token + 1), operation), *trace[index + 1 :])
                candidate = subtrace(named, [at for at in range(len(trace)) if at != gone])
                if accepts(candidate, faithful=False):
                    return _in_a_name(candidate, accepts)
    return trace


def _puts_for_watchers(trace: Trace, accepts: Acceptance) -> Trace:
    """What a watcher is notified of, put instead, if to the lie one event is as good as another; or by a txn that puts
    two keys, if two of one revision are."""
    if not isinstance(trace[-1], op.WatchRead):
        return trace
    keys = sorted(filter(None, keys_of(trace)), key=plainness)
    puts = [op.Put(key) for key in keys]
    both = [op.Txn(success=pair) for two in combinations(puts, 2) for pair in (two, two[::-1])]
    for index, operation in enumerate(trace[:-1]):
        if isinstance(operation, op.DeleteRange | op.Txn | op.LeaseRevoke | op.Advance | op.WatchRead):
            events: list[op.Operation] = [*puts, *(() if isinstance(operation, op.Txn) else both)]
            for event in events:
                candidate = (*trace[:index], event, *trace[index + 1 :])
                if accepts(candidate):
                    return _puts_for_watchers(candidate, accepts)
    return trace


def _deletes_instead(trace: Trace, accepts: Acceptance) -> Trace:
    """A key that goes with its lease deleted instead, and without the lease."""
    for index, operation in enumerate(trace[:-1]):
        if not isinstance(operation, op.LeaseRevoke) or not isinstance(operation.id, LeaseOf):
            continue
        leased = [at for at, one in enumerate(trace[:index]) if isinstance(one, op.Put) and one.lease == operation.id]
        for at in leased[-1:]:
            put = trace[at]
            assert isinstance(put, op.Put)
            plain, delete = replace(put, lease=0), op.DeleteRange(put.key)
            instead = (*trace[:at], plain, *trace[at + 1 : index], delete, *trace[index + 1 :])
            candidate = subtrace(instead, [kept for kept in range(len(trace)) if kept != operation.id.step - 1])
            if accepts(candidate, faithful=False):
                return _deletes_instead(candidate, accepts)
    return trace


def _puts_instead(trace: Trace, accepts: Acceptance) -> Trace:
    """A put in the place of what deletes, where any write will do; it may make another step superfluous."""
    if len(trace) > _PAIRS_UP_TO:
        return trace
    for index, operation in enumerate(trace[:-1]):
        for key in _deleted(operation):
            instead = (*trace[:index], op.Put(key), *trace[index + 1 :])
            others = (at for at in range(len(trace) - 1) if at != index)
            fewer = (subtrace(instead, [at for at in range(len(trace)) if at != gone]) for gone in others)
            for candidate in (*fewer, instead):
                if accepts(candidate, faithful=False):
                    return _puts_instead(candidate, accepts)
    return trace


def _deleted(operation: op.Operation) -> Iterator[bytes]:
    """The key that a step names to be deleted."""
    match operation:
        case op.DeleteRange(key=key) | op.Unlock(key=key) | op.Resign(leader=op.LeaderKey(key=key)) if key:
            yield key


def _simpler_steps(trace: Trace, accepts: Acceptance) -> Trace:
    for index in range(len(trace)):
        trace = _simpler_step(trace, index, accepts)
    return trace


def _simpler_step(trace: Trace, index: int, accepts: Acceptance) -> Trace:
    revokes = any(isinstance(bare(operation), op.LeaseRevoke | op.Advance) for operation in trace)
    timed = any(isinstance(bare(operation), op.Advance) for operation in trace)
    for operation in simpler(trace[index]):
        if timed and _lives_longer(operation, trace[index]):
            continue
        candidate = (*trace[:index], operation, *trace[index + 1 :])
        other_lease = revokes and _leased(trace[index]) and not _leased(operation)
        other_compare = compares_a_range(trace[index]) and operation != comparing_keys(trace[index])
        several = number_of_features(trace[index]) - number_of_features(operation) > 1
        if accepts(candidate, faithful=not (other_lease or other_compare or several)):
            return _simpler_step(candidate, index, accepts)
    return trace


def _in_order(trace: Trace, accepts: Acceptance) -> Trace:
    """Steps that need no order in the usual one: grants first, revokes late, and of the same kind by their keys. So one
    lie has one trace."""
    for index in range(len(trace) - 2):
        first, second = trace[index : index + 2]
        if (place(second), keys_of((second,))) < (place(first), keys_of((first,))):
            swapped = reordered(trace, [*range(index), index + 1, index, *range(index + 2, len(trace))])
            if swapped is not None and accepts(swapped):
                return _in_order(swapped, accepts)
    return trace


def _lives_longer(operation: op.Operation, than: op.Operation) -> bool:
    """A lease that is to expire is no simpler for living longer: a real server is waited for."""
    one, other = bare(operation), bare(than)
    return isinstance(one, op.LeaseGrant) and isinstance(other, op.LeaseGrant) and one.ttl > other.ttl


def _leased(operation: op.Operation) -> bool:
    return any(isinstance(symbol, LeaseOf) for symbol in symbols(operation))
