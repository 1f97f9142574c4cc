"""Lockstep: one operation on every target, and the vote on their answers."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from etcd_lockstep.comparing.comparison import Difference, differences
from etcd_lockstep.comparing.handed_on import filled_in
from etcd_lockstep.comparing.ignoring import without_ignored
from etcd_lockstep.comparing.observation import Observation, Raised, View, allow_for_elapsed, observe
from etcd_lockstep.names import operation_name
from etcd_lockstep.target import NotExpressible, Target, TargetDied, described, text_of
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import (
    UNKNOWN_MEMBER,
    UNKNOWN_TOKEN,
    AuthRevision,
    LeaseOf,
    MemberOf,
    RevisionAt,
    Symbol,
    TokenOf,
    bare,
    substitute,
    symbols,
)
from etcd_model import Error, Server, State, crash_reason, nondeterminism, quirks_of
from etcd_model.history_hash import history_hash
from etcd_model.operations import HashKV, Operation, Range, Txn, WatchCreate
from etcd_model.ranges import FROM_KEY
from etcd_model.results import HashKVResult, LeaseGrantResult, LeaseTimeToLiveResult, RangeResult
from etcd_model.sizes import LARGER_THAN_MAX, check_message, size_of

REFERENCES = ("model", "fake", "etcd")
"""The targets that vote. Every other target is compared with what they agree on."""

UNDECIDED = "model or fake"
"""The odd one out where these two differ and no real etcd is there to judge."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """One target that is not with the others at one step."""

    odd_one_out: str
    differences: tuple[Difference, ...]
    """The most telling first."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a target said to one operation: as it came, and as it is compared."""

    asked: Operation
    """As the target was asked it."""
    raw: Observation
    observation: Observation
    not_handed_on: frozenset[str] = frozenset()
    """Paths of fields that the target's interface had no place for."""


@dataclass(frozen=True, slots=True)
class Step:
    """What every target said to one operation."""

    observations: Mapping[str, Observation]
    divergences: tuple[Divergence, ...]


class Inconclusive(Exception):
    """So much real time has passed that a lease of the sequence may have expired: its answers prove nothing."""


class FoundInexpressible(Inconclusive):
    """An operation for which a target turned out to have no words, after others had been asked it."""


class Skipped(Exception):
    """An operation that was not applied to anyone: a real etcd would crash, or its answer is not defined."""


class Inexpressible(Skipped):
    """An operation that was not applied to anyone, since a target has no words for it."""


class Died(Exception):
    """A target died of an operation, or stopped answering."""

    def __init__(self, target: Target, reason: str) -> None:
        super().__init__(f"{target.name}: {reason}")
        self.target = target
        self.reason = reason


class _Guide(ModelTarget):
    """The model of another release, which is started as the model of the run is."""

    def __init__(self, release: str, server: Server) -> None:
        super().__init__(replace(server, quirks=quirks_of(release)))
        self.name = f"model of {release}"


class Lockstep:
    """One sequence of operations on a fixed set of targets, the model among them.

    The targets' stores must be empty (`Target.reset`); `start` does that.
    """

    def __init__(
        self, model: ModelTarget, others: Sequence[Target], ignored: Collection[str] = (), *, guarded: bool = True
    ) -> None:
        """`ignored`: fields that are not compared, of targets that are no references; see `comparing.ignoring`.
        `guarded`: whether what kills a server, or has an answer that etcd leaves open, is skipped."""
        self._ignored = ignored
        self._guarded = guarded
        self.targets: tuple[Target, ...] = (model, *others)
        self._model = model
        self._references = [target.name for target in self.targets if target.name in REFERENCES]
        guides = (_Guide(release, model.server) for release in sorted({one.release for one in others} - {""}))
        self._guides = [guide for guide in guides if guide.server != model.server]
        """Models of the releases that targets are of, where these behave in another way than the model, for what is not
        to be asked. Their answers are not compared."""
        self._everyone = (*self.targets, *self._guides)
        self._choosy = [target for target in self.targets if type(target).can_express is not Target.can_express]
        """The targets that have no words for some operations."""
        self._views: dict[str, View] = {}
        self._revisions: list[int] = []
        self._keep_history = [target.name for target in others if target.keeps_history]
        self._from_0: list[str] = []
        """The targets whose first revision is 0."""
        self._started = 0.0
        self._soonest_expiry = float("inf")

    @property
    def steps(self) -> int:
        """How many operations have been applied since the start."""
        return len(self._revisions) - 1

    @property
    def revisions(self) -> Sequence[int]:
        """The model's after each step; the first is that of the empty store."""
        return self._revisions

    def start(self) -> None:
        """Begin a new sequence. Raises `Died`."""
        for target in self._everyone:
            try:
                revision = target.reset()
                base = _first_revision(target) if revision is None else revision
                self._views[target.name] = View(base, target.auth_revision())
            except TargetDied as died:
                raise Died(target, str(died)) from died
        self._revisions = [self._model.state.revision]
        self._from_0 = [name for name, view in self._views.items() if view.base < 1]
        self._started = time.monotonic()
        self._soonest_expiry = float("inf")

    def step(self, operation: Operation) -> Step:
        """Apply one operation, its symbols filled in for each target.

        Raises `Skipped`, in which case there was no step; `Died`; `Inconclusive`.
        """
        if symbols(operation):
            concrete = {target.name: self._concrete(operation, target) for target in self._everyone}
            if len({check_message(bare(one)) is None for one in concrete.values()}) > 1:
                raise Skipped("the numbers in it are longer for one target, and it is too long there")
        else:
            concrete = {target.name: operation for target in self._everyone}
        self.refuse_inexpressible(operation)
        if self._guarded:
            self._refuse_open(concrete)
        self._revisions.append(0)
        answers = {target.name: self._ask(target, concrete[target.name]) for target in self.targets}
        self._revisions[-1] = self._model.state.revision
        expected = answers[self._model.name].observation
        observations = {
            name: filled_in(answer.observation, expected, answer.not_handed_on) for name, answer in answers.items()
        }
        if self._guides:
            self._follow(concrete, expected)
        elapsed = time.monotonic() - self._started
        if isinstance(expected, LeaseGrantResult):
            self._soonest_expiry = min(self._soonest_expiry, expected.ttl)
        if elapsed >= self._soonest_expiry:
            raise Inconclusive
        if isinstance(expected, LeaseTimeToLiveResult):
            for name, observation in observations.items():
                observations[name] = allow_for_elapsed(observation, expected, elapsed)
        return Step(observations, self._vote(observations))

    def refuse_inexpressible(self, operation: Operation, revisions: Sequence[int] | None = None) -> None:
        """Raise `Inexpressible` where a target has no words for an operation. So it is where the operation names the
        first revision, or an older one, and the target calls the first 0, which is none in a request, or still has what
        was there before. `revisions`: the model's after each step, where the sequence is not run here."""
        after_step = self.revisions if revisions is None else revisions
        beyond = [*self._from_0, *self._keep_history]
        if beyond and any(
            isinstance(one, RevisionAt) and after_step[one.step] + one.plus <= 1 for one in symbols(operation)
        ):
            raise Inexpressible(f"{beyond[0]} has no such revision, or has more than that")
        if self._keep_history and _is_from_the_beginning(operation):
            raise Inexpressible(f"{self._keep_history[0]} has more than the others have")
        for target in self._choosy:
            try:
                expressible = target.can_express(operation)
            except Exception as error:
                raise Died(target, f"its can_express() raised {described(error)}") from error
            if not expressible:
                raise Inexpressible(f"{target.name} has no words for it")

    def _refuse_open(self, concrete: Mapping[str, Operation]) -> None:
        for model in (self._model, *self._guides):
            reason = not_to_be_asked(concrete[model.name], model.state)
            if reason:
                raise Skipped(reason)

    def _follow(self, concrete: Mapping[str, Operation], expected: Observation) -> None:
        """Let the guides take the step too."""
        for guide in self._guides:
            self._ask(guide, concrete[guide.name])
            self._views[guide.name].resynchronize(getattr(expected, "revision", 0))

    def _ask(self, target: Target, operation: Operation) -> Answer:
        """Apply an operation whose symbols are filled in, as the step that has begun."""
        try:
            result = target.apply(operation)
        except TargetDied as died:
            raise Died(target, str(died)) from died
        except NotExpressible as error:
            raise FoundInexpressible(f"{target.name} has no words for it: {error}") from error
        except Exception as error:  # whatever a target throws is its answer
            raised = Raised(type(error).__name__, text_of(error))
            return Answer(operation, raised, raised)
        self._views[target.name].learn(self.steps, operation, result)
        observation = self._observe(target, operation, result, self._model.state)
        return Answer(operation, result, observation, target.not_handed_on)

    def _observe(self, target: Target, operation: Operation, raw: Observation, state: State) -> Observation:
        """The observation of a target's answer to an operation as it was asked; `state` is the model's after it."""
        if isinstance(raw, Raised):
            return raw
        if isinstance(raw, Error):
            return _with_length(raw, bare(operation))
        view = self._views[target.name]
        if isinstance(raw, HashKVResult):
            asked = bare(operation)
            assert isinstance(asked, HashKV)
            return observe(raw, view, self._history_hash(view, asked.revision, state))
        return observe(raw, view)

    def _history_hash(self, view: View, revision: int, state: State) -> int:
        """The hash over the model's history, in the numbers of a target's revisions and leases."""
        models = self._views[self._model.name]

        def lease_of(lease_id: int) -> int:
            return view.raw_lease(models.lease(lease_id))

        shared = max(view.revision(revision), 0) if revision > 0 else 0
        return history_hash(state, shared, revision_of=view.raw, lease_of=lease_of)

    def _concrete(self, operation: Operation, target: Target, revisions: Sequence[int] | None = None) -> Operation:
        """The operation as a target is asked it. `revisions`: the model's after each step."""
        view, after_step = self._views[target.name], self._revisions if revisions is None else revisions

        def fill_in(symbol: Symbol) -> Any:
            match symbol:
                case LeaseOf(step=step):
                    return view.lease_ids.get(step, 0)
                case RevisionAt(step=step, plus=plus):
                    return view.raw(max(after_step[step] + plus, 1))
                case TokenOf(step=step):
                    return view.tokens.get(step, UNKNOWN_TOKEN)
                case AuthRevision(plus=plus):
                    return view.raw_auth_revision(self._model.state.auth.revision + plus)
                case MemberOf(step=step):
                    return view.member_ids.get(step, UNKNOWN_MEMBER)
                case _:
                    raise AssertionError(symbol)

        return substitute(operation, fill_in)

    def _vote(self, observations: Mapping[str, Observation]) -> tuple[Divergence, ...]:
        consensus = observations[self._model.name]
        answers = list(observations.values())
        if answers.count(consensus) == len(answers):
            return ()
        found: list[Divergence] = []
        odd, consensus = _odd_reference({name: observations[name] for name in self._references})
        if odd:
            answer = observations[odd if odd != UNDECIDED else "fake"]
            found.append(Divergence(odd, tuple(differences(consensus, answer))))
        for name, observation in observations.items():
            if name not in REFERENCES and observation not in (consensus, observations.get("etcd")):
                self._add(found, name, differences(consensus, observation))
                self._views[name].resynchronize(getattr(consensus, "revision", 0))
        return tuple(found)

    def _add(self, found: list[Divergence], name: str, differing: Sequence[Difference]) -> None:
        """Note what a target of the user's does otherwise, but for what is ignored."""
        compared = without_ignored(differing, self._ignored) if self._ignored else tuple(differing)
        if compared:
            found.append(Divergence(name, compared))


def not_to_be_asked(operation: Operation, state: State) -> str | None:
    """Why no target is asked an operation in this state of the model; or None."""
    return crash_reason(operation, state) or nondeterminism(operation, state)


def _with_length(error: Error, operation: Operation) -> Error:
    """Where the message that is too long has the length that the error reports, words for it: targets have other
    revisions and leases, and these are not of one length."""
    if not error.message.startswith(LARGER_THAN_MAX):
        return error
    return replace(error, message=error.message.replace(f"({size_of(operation)} vs.", "(its length vs."))


def _is_from_the_beginning(operation: Operation) -> bool:
    """Whether it watches, or reads in a txn, at a revision before all others. A read by itself is of the present."""
    match bare(operation):
        case WatchCreate(start_revision=start):
            return not isinstance(start, RevisionAt) and start < 0
        case Txn(success=success, failure=failure):
            return any(
                not isinstance(one.revision, RevisionAt) and one.revision < 0
                if isinstance(one, Range)
                else _is_from_the_beginning(one)
                for one in (*success, *failure)
            )
        case _:
            return False


def _first_revision(target: Target) -> int:
    """The revision that a target stands at after its reset, as an empty read reports it."""
    if operation_name(Range) not in target.capabilities:
        return 1
    try:
        result = target.apply(Range(b"\x00", FROM_KEY, count_only=True))
    except TargetDied as died:
        raise Died(target, str(died)) from died
    except Exception:  # it will be found again as the answer to a step
        return 1
    return (result.revision if isinstance(result, RangeResult) else 0) or 1


def _odd_reference(answers: Mapping[str, Observation]) -> tuple[str | None, Observation]:
    """Which of the voting targets is alone, and what the others say.

    With three, the majority is right until it is looked into. With all three at odds the real etcd is taken
    at its word, and the model is named.
    """
    distinct = [
        (observation, [name for name, other in answers.items() if other == observation])
        for observation in answers.values()
    ]
    for observation, backers in distinct:
        if len(backers) == len(answers):
            return None, observation
    for observation, backers in distinct:
        if len(backers) > 1:
            return next(name for name in answers if name not in backers), observation
    if "etcd" in answers:
        return next(name for name in answers if name != "etcd"), answers["etcd"]
    return UNDECIDED, answers["model"]
