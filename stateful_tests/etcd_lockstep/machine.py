"""The state machine for users' own tests: a rule for each operation, on the model, the fake and a target.

    from etcd_lockstep import LockstepMachine

    class MyMockMachine(LockstepMachine):
        target = MyMock

    TestMyMock = MyMockMachine.TestCase

It is an ordinary `RuleBasedStateMachine`: Hypothesis' settings, profiles, seeds and database apply, and a subclass may
add rules, invariants and bundles. Operations come from the same generators as those of the command line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, Phase, event, note, reject
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule

from etcd_lockstep.names import operation_name
from etcd_lockstep.searching.findings import DivergenceFound, Finding
from etcd_lockstep.searching.search import NewFinding
from etcd_lockstep.searching.triage import TargetGone
from etcd_lockstep.session import session_of, workload_named
from etcd_lockstep.strategies import kv, txn
from etcd_lockstep.strategies.choices import BYTES, ChoiceDecoder
from etcd_lockstep.strategies.generator_state import VALUES_OF_A_SEQUENCE, GeneratorState
from etcd_lockstep.strategies.operation_table import DRAWS, FAMILIES, Draw
from etcd_lockstep.target import ALL
from etcd_lockstep.trace import (
    UNKNOWN_LEASE,
    UNKNOWN_MEMBER,
    UNKNOWN_TOKEN,
    LeaseOf,
    MemberOf,
    RevisionAt,
    Symbol,
    TokenOf,
    substitute,
)
from etcd_model import operations as op
from etcd_model.operations import Operation

T = TypeVar("T")

_INPUTS = {"valid": (False, False), "any": (True, False), "without options": (False, True)}
"""How requests of a sequence are drawn: whether they may be invalid on purpose, and whether they do without options."""

_WITHOUT = {
    "": frozenset[str](),
    "lock": frozenset(FAMILIES["lock"]),
    "lock, watch": frozenset((*FAMILIES["lock"], *FAMILIES["watch"])),
}
"""Families that a sequence may do without: they are many operations, and a real server is waited for in each."""


def _operation(name: str, draw: Draw | None = None, **targets: Any) -> Callable[[Any], Any]:
    """A rule whose argument is an operation of this name, as the workload draws it, or `draw`."""

    def decode(drawn: tuple[LockstepMachine, bytes]) -> Operation:
        return drawn[0]._draw(name, draw, drawn[1])

    def is_known(machine: LockstepMachine) -> bool:
        return name in machine._operations

    is_known.__name__ = f"targets_know_{name}"
    request = st.tuples(st.runner(), st.binary(min_size=BYTES, max_size=BYTES)).map(decode)

    def decorate(function: Callable[..., Any]) -> Any:
        made = precondition(is_known)(rule(request=request, **targets)(function))  # type: ignore[no-untyped-call, unused-ignore]
        made.operation, made.without_rule = name, function
        return made

    return decorate


def _prelude(machine: LockstepMachine, drawn: bytes) -> tuple[Operation, ...]:
    return machine._session.workload.prelude(ChoiceDecoder(drawn), GeneratorState(machine._session.participants.keys))


class LockstepMachine(RuleBasedStateMachine):
    """Applies each operation to the model, the fake and a target, and compares their answers.

    The first finding fails the test: the text of the assertion is the suite's report with the shortest trace, and
    Hypothesis prints its own falsifying example below. `etcd_lockstep.find_divergences` lists all findings.
    """

    target: ClassVar[Any] = None
    """A subclass of `Target`, what makes one when called without arguments, or the name of a target that
    `etcd-lockstep targets` lists. With None, model and fake (and etcd) are compared with each other."""
    etcd: ClassVar[str] = "none"
    """Where a real etcd comes from, as for `--etcd`: `auto`, `version:3.5.16`, …; `none` goes without, or
    `none:3.7.3` where that release is meant."""
    workload: ClassVar[str] = "store"
    """Which operations meet: `store`, `auth`, `maintenance`, `quota`, `time`. In `time`, leases expire; on a real etcd
    that takes as long as it takes, so give it few examples."""
    families: ClassVar[Sequence[str]] = tuple(FAMILIES)
    """The families of operations that are drawn, as for `--families`."""
    allow: ClassVar[Sequence[str | Path | Finding]] = ()
    """Findings that are accepted, so that they do not fail the test; or baselines, as a `Path` or a text that ends in
    `.json`."""

    ignore: ClassVar[Sequence[str]] = ()
    """Fields of answers that are not compared, such as `create_revision` or `error.message`."""

    leases = Bundle("leases")
    """The leases granted so far, as symbols (`LeaseOf`)."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Operations that the workload doesn't draw, or the target doesn't know, are no rules of this class: Hypothesis
        would try them in vain. They stay methods."""
        super().__init_subclass__(**options)
        declared = getattr(cls.target, "capabilities", ALL)  # not yet known where an instance makes them
        known = declared if isinstance(declared, frozenset | set | tuple | list) else ALL
        drawn = workload_named(cls.workload).operations(cls.families, known)
        for name, member in list(vars(LockstepMachine).items()):
            if getattr(member, "operation", None) not in (None, *drawn) and getattr(cls, name) is member:
                setattr(cls, name, member.without_rule)

    def __init__(self) -> None:
        super().__init__()
        self._session = session_of(type(self))
        self._search = self._session.search
        self._search.over = True
        self._operations = self._session.operations
        self._drawn: Operation | None = None

    @classmethod
    @cache
    def _to_test_case(cls) -> Any:
        class LockstepTestCase(super()._to_test_case()):  # type: ignore[misc]  # made by Hypothesis
            settings = hypothesis_settings(
                deadline=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.explicit, Phase.reuse, Phase.generate],  # the suite's own shrinker is faster
            )

            def setUp(self) -> None:
                session_of(cls).new_search()

        return LockstepTestCase

    @classmethod
    def for_target(cls, target: Any, **options: Any) -> type[LockstepMachine]:
        """A subclass for a target; `options` are class attributes, such as `etcd="auto"`."""
        name = target if isinstance(target, str) else getattr(target, "__name__", "target")
        return type(f"{name}Machine", (cls,), {"target": target, **options})

    @initialize(
        without=st.sampled_from(sorted(_WITHOUT)),
        inputs=st.sampled_from(("valid", "any", "any", "without options")),
        values=st.sampled_from(VALUES_OF_A_SEQUENCE),
        prelude=st.tuples(st.runner(), st.binary(min_size=BYTES, max_size=BYTES)).map(lambda drawn: _prelude(*drawn)),
    )
    def start(self, without: str, inputs: str, values: tuple[bytes, ...], prelude: tuple[Operation, ...]) -> None:
        """Begin with empty stores, and apply what the workload begins with."""
        self._inputs, self._values, self._prelude = inputs, values, prelude
        self._operations = self._session.operations - _WITHOUT[without] or self._session.operations
        self.begin()

    def begin(self) -> None:
        """Begin a sequence on empty stores. Called at the start of an example, and again where an accepted divergence
        left the stores different. A subclass that keeps state of its own resets it here and calls this one."""
        invalid_inputs, defaults_only = _INPUTS[self._inputs]
        drawn_from = self._session.participants
        self.state = GeneratorState(
            drawn_from.keys,
            values=self._values,
            operations=self._session.operations,
            txns=drawn_from.txns,
            invalid_inputs=invalid_inputs,
            defaults_only=defaults_only,
        )
        self._checked(self._search.start)
        for operation in self._prelude:
            self._take(operation)

    def apply(self, operation: Operation) -> LeaseOf | None:
        """Apply an operation to every target, as the next step; for a grant, returns the lease as a symbol.

        Raises `DivergenceFound`. An operation that can't be asked (a target has no words for it, it would crash a real
        etcd, or etcd leaves its outcome open) rejects the example, as `hypothesis.reject` does.
        """
        drawn = operation is self._drawn
        operation = substitute(operation, self._current)
        if not (self._take(operation) or (self._read_streams() and self._take(operation))):
            if not drawn:
                reject()
            event(f"skipped: {operation_name(type(operation))}")
        lease = self.state.live[-1] if isinstance(operation, op.LeaseGrant) and self.state.live else None
        if self._search.over:
            self.begin()  # now, so that the next operation is drawn from the new sequence
        return lease

    def _take(self, operation: Operation) -> bool:
        taken = self._checked(lambda: self._search.step(operation))
        if taken:
            self.state.follow(operation)
            if self._search.raised:
                note(f"# step {self.state.steps}")
        return taken

    def _checked(self, run: Callable[[], T]) -> T:
        """What `run` returns. This is the one place that raises: Hypothesis takes failures of one place for one bug."""
        try:
            return run()
        except NewFinding as new:
            finding = new.finding
        except TargetGone as gone:  # there is nothing to run the example on again
            raise TargetGone("\n\n".join(map(str, (gone, *self._search.findings[-1:])))) from None
        raise DivergenceFound(
            finding, below="That trace is the shortest. Hypothesis prints the whole example it was found in:"
        )

    def _current(self, symbol: Symbol) -> int | str:
        """A symbol that a subclass kept from an earlier sequence of this example names nothing in this one."""
        match symbol:
            case LeaseOf() if symbol not in (*self.state.live, *self.state.stale):
                return UNKNOWN_LEASE
            case TokenOf(step=step) if step > self.state.steps:
                return UNKNOWN_TOKEN
            case MemberOf(step=step) if step > self.state.steps:
                return UNKNOWN_MEMBER
            case RevisionAt(step=step, plus=plus) if step > self.state.steps:
                return RevisionAt(self.state.steps, plus)
            case _:
                return symbol  # type: ignore[return-value]  # an int or a text to the type checker

    def _read_streams(self) -> bool:
        """What is open may be definite once all that is on its way has come."""
        streams = list(self.state.streams)
        for stream in streams:
            self._take(op.WatchRead(stream))
        return bool(streams)

    def _draw(self, name: str, draw: Draw | None, drawn: bytes) -> Operation:
        choices = ChoiceDecoder(drawn)
        workload = self._session.workload
        draw = draw or workload.draws.get(name, DRAWS[name])
        operation = draw(choices, self.state)
        self._drawn = workload.wrap(choices, self.state, operation)
        return self._drawn

    def teardown(self) -> None:
        """Read what watchers were owed, and compare a hash over the whole history; not where the example failed."""
        if self._search.over or sys.exc_info()[0] is not None:
            return
        event("sequence reached its end")
        self._read_streams()
        if self._session.final_check and not self._search.over:
            self._take(self._session.workload.final_check(self.state))

    # A rule for each operation, by family. What other operations need in order to show anything has several, for
    # Hypothesis leaves out rules at random.

    @_operation("lease_grant", target=leases)
    def grant(self, request: op.LeaseGrant) -> LeaseOf | None:
        return self.apply(request)

    @_operation("put")
    def put(self, request: op.Put) -> None:
        self.apply(request)

    @_operation("put", kv.put_value)
    def put_value(self, request: op.Put) -> None:
        self.apply(request)

    @_operation("put", kv.put_with_lease)
    def put_with_lease(self, request: op.Put) -> None:
        self.apply(request)

    @_operation("txn", txn.compare_and_swap)
    def compare_and_swap(self, request: op.Txn) -> None:
        self.apply(request)

    @_operation("txn")
    def txn(self, request: op.Txn) -> None:
        self.apply(request)

    @_operation("range")
    def get(self, request: op.Range) -> None:
        self.apply(request)

    @_operation("range", kv.get_key)
    def get_key(self, request: op.Range) -> None:
        self.apply(request)

    @_operation("range_stream")
    def get_in_chunks(self, request: op.RangeStream) -> None:
        self.apply(request)

    @_operation("delete_range")
    def delete(self, request: op.DeleteRange) -> None:
        self.apply(request)

    @_operation("lease_revoke")
    def revoke(self, request: op.LeaseRevoke) -> None:
        self.apply(request)

    @_operation("lease_keep_alive")
    def keep_alive(self, request: op.LeaseKeepAlive) -> None:
        self.apply(request)

    @_operation("lease_time_to_live")
    def time_to_live(self, request: op.LeaseTimeToLive) -> None:
        self.apply(request)

    @_operation("lease_leases")
    def list_leases(self, request: op.LeaseLeases) -> None:
        self.apply(request)

    @_operation("advance")
    def advance(self, request: op.Advance) -> None:
        self.apply(request)

    @_operation("compact")
    def compact(self, request: op.Compact) -> None:
        self.apply(request)

    @_operation("watch_create")
    def watch_create(self, request: op.WatchCreate) -> None:
        self.apply(request)

    @_operation("watch_read")
    def watch_read(self, request: op.WatchRead) -> None:
        self.apply(request)

    @_operation("watch_cancel")
    def watch_cancel(self, request: op.WatchCancel) -> None:
        self.apply(request)

    @_operation("watch_progress")
    def watch_progress(self, request: op.WatchProgress) -> None:
        self.apply(request)

    @_operation("watch_close")
    def watch_close(self, request: op.WatchClose) -> None:
        self.apply(request)

    @_operation("lock")
    def lock(self, request: op.Lock) -> None:
        self.apply(request)

    @_operation("unlock")
    def unlock(self, request: op.Unlock) -> None:
        self.apply(request)

    @_operation("campaign")
    def campaign(self, request: op.Campaign) -> None:
        self.apply(request)

    @_operation("proclaim")
    def proclaim(self, request: op.Proclaim) -> None:
        self.apply(request)

    @_operation("leader")
    def leader(self, request: op.Leader) -> None:
        self.apply(request)

    @_operation("observe")
    def observe(self, request: op.Observe) -> None:
        self.apply(request)

    @_operation("resign")
    def resign(self, request: op.Resign) -> None:
        self.apply(request)

    @_operation("auth_enable")
    def auth_enable(self, request: op.AuthEnable) -> None:
        self.apply(request)

    @_operation("auth_disable")
    def auth_disable(self, request: op.AuthDisable) -> None:
        self.apply(request)

    @_operation("auth_status")
    def auth_status(self, request: op.AuthStatus) -> None:
        self.apply(request)

    @_operation("authenticate")
    def authenticate(self, request: op.Authenticate) -> None:
        self.apply(request)

    @_operation("user_add")
    def user_add(self, request: op.UserAdd) -> None:
        self.apply(request)

    @_operation("user_get")
    def user_get(self, request: op.UserGet) -> None:
        self.apply(request)

    @_operation("user_list")
    def user_list(self, request: op.UserList) -> None:
        self.apply(request)

    @_operation("user_delete")
    def user_delete(self, request: op.UserDelete) -> None:
        self.apply(request)

    @_operation("user_change_password")
    def user_change_password(self, request: op.UserChangePassword) -> None:
        self.apply(request)

    @_operation("user_grant_role")
    def user_grant_role(self, request: op.UserGrantRole) -> None:
        self.apply(request)

    @_operation("user_revoke_role")
    def user_revoke_role(self, request: op.UserRevokeRole) -> None:
        self.apply(request)

    @_operation("role_add")
    def role_add(self, request: op.RoleAdd) -> None:
        self.apply(request)

    @_operation("role_get")
    def role_get(self, request: op.RoleGet) -> None:
        self.apply(request)

    @_operation("role_list")
    def role_list(self, request: op.RoleList) -> None:
        self.apply(request)

    @_operation("role_delete")
    def role_delete(self, request: op.RoleDelete) -> None:
        self.apply(request)

    @_operation("role_grant_permission")
    def role_grant_permission(self, request: op.RoleGrantPermission) -> None:
        self.apply(request)

    @_operation("role_revoke_permission")
    def role_revoke_permission(self, request: op.RoleRevokePermission) -> None:
        self.apply(request)

    @_operation("status")
    def status(self, request: op.Status) -> None:
        self.apply(request)

    @_operation("alarm")
    def alarm(self, request: op.Alarm) -> None:
        self.apply(request)

    @_operation("defragment")
    def defragment(self, request: op.Defragment) -> None:
        self.apply(request)

    @_operation("hash")
    def hash(self, request: op.Hash) -> None:
        self.apply(request)

    @_operation("hash_kv")
    def hash_kv(self, request: op.HashKV) -> None:
        self.apply(request)

    @_operation("snapshot")
    def snapshot(self, request: op.Snapshot) -> None:
        self.apply(request)

    @_operation("move_leader")
    def move_leader(self, request: op.MoveLeader) -> None:
        self.apply(request)

    @_operation("downgrade")
    def downgrade(self, request: op.Downgrade) -> None:
        self.apply(request)

    @_operation("member_list")
    def member_list(self, request: op.MemberList) -> None:
        self.apply(request)

    @_operation("member_add")
    def member_add(self, request: op.MemberAdd) -> None:
        self.apply(request)

    @_operation("member_remove")
    def member_remove(self, request: op.MemberRemove) -> None:
        self.apply(request)

    @_operation("member_update")
    def member_update(self, request: op.MemberUpdate) -> None:
        self.apply(request)

    @_operation("member_promote")
    def member_promote(self, request: op.MemberPromote) -> None:
        self.apply(request)
