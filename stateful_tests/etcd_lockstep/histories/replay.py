"""The sweep over a history's revisions: each is made by a call or filled as a gap, and what was answered at it is
compared with the model."""

from __future__ import annotations

from collections.abc import Mapping

from etcd_lockstep.histories.answers import Mismatch, Naming, agrees
from etcd_lockstep.histories.gaps import Events, Gaps
from etcd_lockstep.histories.history import History
from etcd_lockstep.histories.lease_steps import LeaseFacts
from etcd_lockstep.histories.placing import Placed
from etcd_lockstep.histories.plain import PUT, is_plain_put, is_plain_range, written
from etcd_lockstep.histories.real_time import RealTime, last_revision
from etcd_lockstep.histories.store import Store, lease_ids
from etcd_lockstep.histories.unaccounted import Unaccounted
from etcd_lockstep.histories.verdicts import MOST_VIOLATIONS, Anomaly, Unknown, Violation
from etcd_lockstep.histories.words import quoted
from etcd_model.operations import LeaseRevoke, Put, Range
from etcd_model.results import Event, KeyValue, PutResult, RangeResult, Result
from etcd_model.state import Server


class Replay:
    """Runs once. What it leaves: the store with all that it was, violations, and what else is to be checked."""

    def __init__(self, history: History, placed: Placed, real_time: RealTime, server: Server) -> None:
        self.store = Store(history.beginning, server)
        self.violations: list[Violation] = []
        self.unknowns: list[Unknown] = []
        self.leases = LeaseFacts()
        self.guessed = False
        """Whether a gap was filled by a call although another could have made it: then a violation proves nothing."""
        self._history = history
        self._calls = history.calls
        self._placed = placed
        self._real_time = real_time
        self._account = history.account.events if history.account else ()
        self._position = 0
        """How many events of the account have been passed."""
        self._until = history.account.until if history.account else history.beginning.revision
        self._mismatches: list[Mismatch] = []
        self._gaps = Gaps(history.calls, placed.indefinite, self.store, real_time.deadline)
        self.last = last_revision(history, placed, (self._until,))
        self._unaccounted = Unaccounted(history, placed, self.store, self._gaps)

    @property
    def filled(self) -> Mapping[int, int]:
        """By revision: the indefinite call that made it."""
        return self._gaps.filled

    @property
    def open_ended(self) -> bool:
        """Whether there may be revisions after the last one that anybody was answered at: without an account of the
        very end, nobody would know. A refusal, which has no revision, may be due to one of these."""
        account = self._history.account
        return account is None or any(account.asked < (call.returned or 0) for call in self._calls)

    @property
    def may_go_on(self) -> bool:
        """Whether anything is left that can have made such a revision: an indefinite call, or a lease with keys."""
        left = len(self._gaps.filled) < len(self._gaps.writers) or any(self.store.attached.values())
        return left and self.open_ended

    def run(self) -> None:
        """Sweep once over all revisions."""
        store, placed = self.store, self._placed
        reads = sorted(placed.reads, key=placed.revisions.__getitem__)
        position = 0
        while position < len(reads) and placed.revisions[reads[position]] < store.revision:
            position += 1  # each is a stale read already, unless it is serializable
        old = tuple(index for index in reads[:position] if placed.stale[index])
        if old:
            self.unknowns.append(
                Unknown("serializable reads of before the beginning", "the keys were not recorded", old)
            )
        while True:
            revision = store.revision
            while position < len(reads) and placed.revisions[reads[position]] == revision:
                self._check_read(reads[position], revision)
                position += 1
            if revision >= self.last or not self._advance(revision + 1):
                break
            if len(self.violations) + len(self._mismatches) > MOST_VIOLATIONS * 10:
                break
        naming = Naming(self._calls, store, self._mismatches, accounted=self._history.account is not None)
        self.violations = [*self.violations, *naming.violations()]
        if self._gaps.gave_up:
            where = "the calls that nobody knows the outcome of"
            self.unknowns.append(Unknown(where, "too many of them can have made the same revisions"))

    # Reads

    def _check_read(self, index: int, revision: int) -> None:
        call = self._calls[index]
        operation, observed = call.operation, call.outcome
        if type(operation) is Range and not operation.range_end and is_plain_range(operation) and operation.key:
            kv = self.store.live.get(operation.key)
            if type(observed) is RangeResult and not observed.more and observed.count == (kv is not None):
                kvs = observed.kvs
                if (not kvs) if kv is None else (len(kvs) == 1 and kvs[0] == kv):
                    return
        past = operation.revision if type(operation) is Range else 0
        if past > revision:
            self._mismatches.append(Mismatch(index, revision, revision))
            return
        expected, _events = self.store.answer(operation)
        if not agrees(operation, expected, observed):  # type: ignore[arg-type]  # an answer
            self._mismatches.append(Mismatch(index, revision, revision))

    # Writes

    def _advance(self, revision: int) -> bool:
        """Make the next revision. False where nobody knows what it would be."""
        claims = self._placed.claims.get(revision, [])
        if revision <= self._until:
            return self._advance_accounted(revision, claims)
        if len(claims) > 1:
            self._two_writes(revision, claims)
        if claims:
            events = self._carried_out(claims[0], revision)
            if events is None:
                return False
            self._apply(revision, events, claims[0])
            return True
        return self._advance_gap(revision)

    def _two_writes(self, revision: int, claims: list[int]) -> None:
        what = f"{len(claims)} writes were acknowledged with revision {revision}"
        self.violations.append(Violation(Anomaly.TWO_WRITES, what, tuple(claims), revision=revision))

    def _advance_accounted(self, revision: int, claims: list[int]) -> bool:
        """The account says what happened; the question is whose doing it was."""
        if len(claims) == 1 and self._is_as_put(claims[0], revision):
            return True
        events = self._accounted(revision)
        if len(claims) > 1:
            self._two_writes(revision, claims)
        made = {index: self._model(index) for index in claims}
        for index, (expected, its) in made.items():
            if events is not None and _same(its, events):
                self._check_write(index, revision, expected)
                self._apply(revision, events, index)
                return True
        if len(claims) == 1:
            self._lost(revision, claims[0], made[claims[0]][1], events)
        if events is None:
            if not claims:
                what = f"the account has no event at revision {revision}, and a revision without one can't be"
                self.violations.append(Violation(Anomaly.PHANTOM_WRITE, what, revision=revision))
            self.store.revision = revision
            return len(self.violations) <= MOST_VIOLATIONS
        if not claims:
            self._fill(revision, events)
        else:
            self._apply(revision, events, None)
        return True

    def _is_as_put(self, index: int, revision: int) -> bool:
        """Make a revision that is as its owner, a plain put, and the account say: the most frequent case, made short.
        False where anything is otherwise; then nothing was done."""
        operation, result = self._calls[index].operation, self._calls[index].outcome
        account, position = self._account, self._position
        if type(operation) is not Put or not is_plain_put(operation) or position >= len(account):
            return False
        event = account[position]
        kv = event.kv
        if position + 1 < len(account) and account[position + 1].kv.mod_revision == revision:
            return False
        old = self.store.live.get(operation.key)
        if (
            event.type != PUT
            or event.prev_kv is not None
            or not (
                kv.mod_revision == revision
                and kv.key == operation.key
                and kv.value == operation.value
                and kv.lease == operation.lease
                and kv.version == (1 if old is None else old.version + 1)
                and kv.create_revision == (revision if old is None else old.create_revision)
            )
        ):
            return False
        if result.prev_kv != (old if operation.prev_kv else None):  # type: ignore[union-attr]  # a PutResult
            return False
        self._position = position + 1
        if kv.lease:
            self.leases.used.append((kv.lease, revision, index))
        self.store.write(revision, kv)
        return True

    def _accounted(self, revision: int) -> Events | None:
        """The events that the account has at a revision, which is the next one; without the previous values, which are
        checked here."""
        account, start = self._account, self._position
        end = start
        while end < len(account) and account[end].kv.mod_revision == revision:
            end += 1
        self._position = end
        events = account[start:end]
        for event in events:
            if event.prev_kv is not None:
                self._check_previous(revision, events)
                return tuple([Event(event.type, event.kv) for event in events])
        return events or None

    def _lost(self, revision: int, index: int, made: Events, events: Events | None) -> None:
        """A completed write is not what the account has at its revision."""
        if events is None:
            what = f"it was acknowledged with revision {revision}, at which the account has nothing"
            anomaly = Anomaly.LOST_WRITE
        elif 0 < len(events) < len(made) and {*map(_bare, events)} <= {*map(_bare, made)}:
            what = f"of {len(made)} events of revision {revision}, the account has {len(events)}"
            anomaly = Anomaly.TORN_TXN
        elif not made:
            self._mismatches.append(Mismatch(index, revision - 1, revision))
            return
        else:
            another = self._gaps.fill_at_any_time(revision, events, self.store.lease_ended_by(events))
            has = "what another call wrote" if another else "something else"
            if not another and not self._gaps.gave_up:
                self._phantom(revision, events)
            what = f"it was acknowledged with revision {revision}, at which the account has {has}"
            anomaly = Anomaly.LOST_WRITE
        self.violations.append(Violation(anomaly, what, (index,), revision=revision))

    def _check_previous(self, revision: int, events: Events) -> None:
        """Where the account has previous values, they are those of the keys before."""
        for event in events:
            if event.prev_kv is not None and event.prev_kv != self.store.live.get(event.kv.key):
                what = f"the account has another value before the event of {quoted(event.kv.key)} than there was"
                self.violations.append(Violation(Anomaly.WRONG_ANSWER, what, revision=revision))

    def _model(self, index: int) -> tuple[Result | None, Events]:
        """What the model says to a completed write at the current revision: the answer, None for that of a plain put,
        and the events."""
        operation = self._calls[index].operation
        if type(operation) is Put and is_plain_put(operation):
            return None, (Event(PUT, written(operation, self.store.live.get(operation.key), self.store.revision + 1)),)
        return self.store.answer(operation)

    def _carried_out(self, index: int, revision: int) -> Events | None:
        """The events of a completed write of which there is no account; None where it has none."""
        expected, events = self._model(index)
        self._check_write(index, revision, expected)
        return events or None

    def _check_write(self, index: int, revision: int, expected: Result | None) -> None:
        call = self._calls[index]
        if expected is None:
            self._check_put(index, call.operation, revision)  # type: ignore[arg-type]  # a plain put
        elif not agrees(call.operation, expected, call.outcome):  # type: ignore[arg-type]  # an answer
            self._mismatches.append(Mismatch(index, revision - 1, revision))

    def _check_put(self, index: int, operation: Put, revision: int) -> None:
        observed = self._calls[index].outcome
        assert type(observed) is PutResult
        if observed.prev_kv != (self.store.live.get(operation.key) if operation.prev_kv else None):
            self._mismatches.append(Mismatch(index, revision - 1, revision))

    def _apply(self, revision: int, events: Events, index: int | None) -> None:
        store = self.store
        for event in events:
            if event.type == PUT and event.kv.lease:
                self._note_uses(revision, events, index)
                break
        store.apply(revision, events)

    def _note_uses(self, revision: int, events: Events, index: int | None) -> None:
        """A put with a lease needs it; one that keeps the lease of its key does not name it."""
        named = set(lease_ids(self._calls[index].operation)) if index is not None else set()
        for lease in {event.kv.lease for event in events if event.type == PUT} & named:
            self.leases.used.append((lease, revision, -1 if index is None else index))

    # Gaps

    def _fill(self, revision: int, events: Events) -> None:
        """Find who made a revision that nobody claims, and whose events are known."""
        store = self.store
        lease = store.lease_ended_by(events)
        owner: int | None = None
        if lease is not None and (revoke := self._revoke_at(revision, lease)) is not None:
            owner = revoke
            self.leases.ended.append((lease, revision, revoke, True))
        else:
            owner = self._gaps.fill(revision, events, lease)
            if owner is None and lease is not None:
                self.leases.ended.append((lease, revision, -1, True))
            elif owner is None and not self._gaps.gave_up:
                self._phantom(revision, events)
            elif owner is not None and lease is not None:
                revoked = isinstance(self._calls[owner].operation, LeaseRevoke)
                self.leases.ended.append((lease, revision, owner if revoked else -1, False))
        self._apply(revision, events, owner)

    def _revoke_at(self, revision: int, lease: int) -> int | None:
        """The completed revoke of a lease that was answered at a revision."""
        for index in self._placed.revokes.get(revision, ()):
            if self._calls[index].operation.id == lease:  # type: ignore[union-attr]  # a LeaseRevoke
                return index
        return None

    def _phantom(self, revision: int, events: Events) -> None:
        made = ", ".join(
            f"{quoted(event.kv.key)} = {quoted(event.kv.value)}"
            if event.type == PUT
            else f"{quoted(event.kv.key)} deleted"
            for event in events[:4]
        )
        what = f"no call can have made revision {revision}, in which {made}"
        self.violations.append(Violation(Anomaly.PHANTOM_WRITE, what, revision=revision))

    def _advance_gap(self, revision: int) -> bool:
        """Guess who made a revision of which there is no account. False where nobody can have."""
        guess = self._unaccounted.guess(revision)
        if guess is None:
            known = self._unaccounted.shown(revision)
            what = f"no call can have made revision {revision}" + (f", in which {known}" if known else "")
            self.violations.append(Violation(Anomaly.PHANTOM_WRITE, what, revision=revision))
            return False
        self.guessed |= guess.is_one_of_several
        if guess.lease is not None:
            self.leases.ended.append((guess.lease, revision, -1 if guess.call is None else guess.call, True))
        self._apply(revision, guess.events, guess.call)
        return True


def _bare(event: Event) -> tuple[int, KeyValue]:
    return event.type, event.kv


def _same(made: Events, events: Events) -> bool:
    if len(made) == 1 == len(events):
        return made[0].type == events[0].type and made[0].kv == events[0].kv
    return [*map(_bare, made)] == [*map(_bare, events)]
