"""Triage: whether a divergence is a finding that is not known yet, and what its shortest trace is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from etcd_lockstep.comparing.lockstep import Died, Divergence, Inconclusive, Lockstep, Skipped, Step
from etcd_lockstep.names import name_of
from etcd_lockstep.searching.acceptance import ShownByKnown, Verdict
from etcd_lockstep.searching.findings import (
    DIED,
    NUMBERS,
    SEEN_ONCE,
    Finding,
    Signature,
    features,
    is_key_value,
    signature,
)
from etcd_lockstep.searching.known import KnownFinding, KnownFindings
from etcd_lockstep.searching.shrinking import shrink
from etcd_lockstep.target import TargetDied
from etcd_lockstep.trace import LeaseOf, RevisionAt, Trace, bare, keys_of, symbols, takes_time
from etcd_model import operations as op

SHORT = 6
"""Up to how many steps a trace that shows a known finding in another way is remembered as that."""

NO_TIME = "there was no time to shrink it: the next run without a seed begins with it"
"""The note of a finding that was seen when the time was over."""


class TargetGone(BaseException):
    """A target died and can't be brought back: the run is over. Not an Exception, so that Hypothesis lets it pass."""


class TraceRunner:
    """Runs traces by themselves, from an empty store, on as few targets as can show what is asked."""

    def __init__(self, everyone: Lockstep, pairs: Mapping[str, Lockstep]) -> None:
        """`everyone` has all targets. `pairs`: by the name of a target, a second instance of it beside a model."""
        self.disturbed = False
        """Whether targets of `everyone` were used since this was set to False: their own sequence is lost."""
        self.last_words = ""
        """The reason that the target which died last gave."""
        self._everyone = everyone
        self._pairs = pairs

    def signatures(self, trace: Trace, target: str) -> list[Signature]:
        """What a trace shows of a target at its last step."""
        pair = self._pairs.get(target)
        self.disturbed |= pair is None
        step = self._run(trace, pair or self._everyone)
        return [
            signature(target, trace[-1], difference)
            for divergence in step.divergences
            if divergence.odd_one_out == target
            for difference in divergence.differences
        ]

    def last_step(self, trace: Trace) -> Step:
        """The last step of a trace on all targets. One in which nothing differs stands for a run that ended earlier."""
        self.disturbed = True
        return self._run(trace, self._everyone)

    def revive(self, died: Died) -> None:
        """Bring a target back. Raises `TargetGone`."""
        self.last_words = died.reason
        try:
            died.target.revive()
        except TargetDied as gone:
            raise TargetGone(f"{died.target.name} died ({died.reason}) and can't be brought back: {gone}") from gone

    def _run(self, trace: Trace, lockstep: Lockstep) -> Step:
        step = Step({}, ())
        try:
            lockstep.start()
            for operation in trace:
                step = lockstep.step(operation)
        except (Inconclusive, Skipped):
            return Step({}, ())
        except Died as died:
            self.revive(died)
            last = lockstep.steps == len(trace)
            return Step({}, (Divergence(died.target.name, (DIED,)),) if last else ())
        return step


class Triage:
    """Judges divergences one after the other, and remembers the findings."""

    def __init__(
        self,
        runner: TraceRunner,
        targets: Mapping[str, frozenset[str]],
        *,
        etcd: str = "",
        over_quota: bool = False,
        tokens: str = "",
        known: Sequence[Finding] = (),
        quirk_of: Callable[[Trace, Signature], str] = lambda _trace, _seen: "",
        on_shrinking: Callable[[str], None] = lambda _what: None,
        on_finding: Callable[[Finding], None] = lambda _finding: None,
    ) -> None:
        """`targets`: what each of them beside the model can be asked. `etcd`: the version of the real one. `known`:
        findings of another search in the same targets, which are not reported again. `quirk_of` names the known quirk
        of etcd's that the last step of a trace shows, or returns an empty text: each is reported once. `on_shrinking`
        is called with what is being shrunk, and then with an empty text; `on_finding` with each finding once it is
        recorded."""
        self.findings: list[Finding] = []
        self.seen_again: Counter[tuple[str, str, str]] = Counter()
        """By target, fingerprint and the step's operation: how many more steps a known finding has explained."""
        self._runner = runner
        self._targets = targets
        self._etcd = etcd
        self._over_quota = over_quota
        self._tokens = tokens
        self._quirk_of = quirk_of
        self._on_shrinking = on_shrinking
        self._on_finding = on_finding
        self._known = KnownFindings(self._part_shows)
        self._of_parts: dict[tuple[Trace, str], list[Signature]] = {}
        """What parts of the traces that are being judged have shown of a target: the same ones are asked for often."""
        self._reported: list[Finding] = []
        """Those of other searches, and its own."""
        self._wrong_fields: dict[tuple[str, str], KnownFinding] = {}
        """By target and field: what is known to be wrong in every key-value."""
        self._patience = float("inf")
        for finding in known:
            self.know(finding)

    def finding(self, trace: Trace, seen: Signature, patience: float) -> Finding | None:
        """What the last step of a trace showed, as a finding with its shortest trace; None where known ones explain it.

        `patience` is a reading of `time.monotonic` after which it is not looked into any further. Raises `TargetGone`
        and KeyboardInterrupt, with the finding recorded as it was seen.
        """
        self._patience = patience
        self._of_parts.clear()
        known = self._systematic(seen) or self._known.explain(trace, seen)
        if known:
            self.seen_again[seen.target, known.fingerprint, name_of(trace[-1])] += 1
            return None
        self._on_shrinking(str(seen))
        try:
            shrunk = self._shrunk(seen, trace)
        except (KeyboardInterrupt, TargetGone):
            self.record_as_seen(seen, trace, "the run ended before it was shrunk")
            raise
        finally:
            self._on_shrinking("")
        if shrunk is None:
            return None
        if time.monotonic() > patience and shrunk == (seen, trace):
            if any(finding.signature == seen for finding in self._reported):
                return None  # one that there was no time to look into is enough, and none where one is known
            return self.record_as_seen(seen, trace, NO_TIME)
        if shrunk == (seen, trace) and not self._shows(trace, seen):
            return self.record_as_seen(seen, trace, SEEN_ONCE)
        quirk = self._quirk_of(shrunk[1], shrunk[0])
        reported = next((one for one in self._reported if quirk and one.quirk == quirk), None)
        if reported is not None:
            self._known.add(KnownFinding(*shrunk))
            self.seen_again[seen.target, reported.fingerprint, name_of(trace[-1])] += 1
            return None
        return self._record(*shrunk, quirk)

    def _systematic(self, seen: Signature) -> KnownFinding | None:
        """The known finding that a field of every key-value is wrong, if this is the same field."""
        container, _, field = seen.field.rpartition(".")
        return self._wrong_fields.get((seen.target, field)) if is_key_value(container) else None

    def has(self, seen: Signature) -> bool:
        """Whether a known finding has this failure signature. A trace may show it for another reason all the same."""
        return self._systematic(seen) is not None or any(one.signature == seen for one in self._reported)

    def accept(self, finding: Finding) -> bool:
        """Take an accepted finding for known, if its trace still shows it; and whether it does. Raises `TargetGone`."""
        shows = finding.signature in self._runner.signatures(finding.trace, finding.signature.target)
        if shows:
            self._remember(finding)
        return shows

    def know(self, finding: Finding) -> None:
        """Take a finding for known, such as one of another search in the same targets: it is not reported again."""
        self._reported.append(finding)
        self._remember(finding)

    def record(self, finding: Finding) -> Finding:
        """Remember a finding that needs no shrinking."""
        return self._keep(finding)

    def _remember(self, finding: Finding) -> None:
        """From now on it explains what is like it. A number that is wrong in a plain read of a key that was put once is
        wrong in all key-values, and in whatever way: it is one finding, and the comparison goes on past it."""
        known = KnownFinding(finding.signature, finding.trace)
        self._known.add(known)
        container, _, field = known.signature.field.rpartition(".")
        match known.trace:
            case (op.Put() as put, op.Range() as read) if (
                container == "kvs" and field in NUMBERS and not features(read) and features(put) <= {"no lease"}
            ):
                self._wrong_fields[known.signature.target, field] = known

    def record_as_seen(self, seen: Signature, trace: Trace, why: str) -> Finding:
        """Remember a finding whose trace was not shrunk, with the reason."""
        return self._keep(Finding(seen, trace, {}, (), why))

    def _record(self, seen: Signature, trace: Trace, quirk: str) -> Finding:
        step = self._runner.last_step(trace)
        divergence = next((one for one in step.divergences if one.odd_one_out == seen.target), None)
        if divergence is None and step.divergences:
            # The real etcd answers as the target does: then it is one of the references that differs.
            divergence = step.divergences[0]
            seen = signature(divergence.odd_one_out, trace[-1], divergence.differences[0])
        note = self._runner.last_words if seen.kind == DIED.kind else ""
        differences = divergence.differences if divergence else ()
        return self._keep(Finding(seen, trace, step.observations, differences, note, quirk))

    def _keep(self, finding: Finding) -> Finding:
        finding = replace(finding, etcd=self._etcd, over_quota=self._over_quota, tokens=self._tokens)
        self.findings.append(finding)
        self.know(finding)
        self._on_finding(finding)
        return finding

    # The shortest trace

    def _shrunk(self, seen: Signature, trace: Trace) -> tuple[Signature, Trace] | None:
        """The signature and the shortest trace; None where that turns out to show a known finding."""

        def judge(candidate: Trace) -> Verdict:
            shown = self._signatures(candidate, seen.target)
            if seen in shown:
                return Verdict.KNOWN if self._known.explain(candidate, seen) else Verdict.NEW
            # Where a field of a key-value is wrong, a shorter trace may show that the key is not there at all.
            worse = [one for one in shown if one.field == "kvs" and seen.field.startswith("kvs.")]
            return Verdict.KNOWN if any(self._known.explain(candidate, one) for one in worse) else Verdict.NOTHING

        if not self._shows(trace, seen):
            return seen, trace
        try:
            trace = shrink(trace, judge)
            read = self._as_simple_read(trace, seen)
            if read is not None:
                self._known.add(KnownFinding(seen, trace))
                trace, seen = read
                if judge(trace) is Verdict.KNOWN:
                    return None
                trace = shrink(trace, judge)
        except ShownByKnown as known:
            if len(known.trace) <= SHORT:
                self._known.add(KnownFinding(seen, known.trace))
            return None
        if self._follows_from_known(seen, trace):
            self._known.add(KnownFinding(seen, trace))
            return None
        return seen, trace

    def _follows_from_known(self, seen: Signature, trace: Trace) -> bool:
        return (
            self._known.has(KnownFinding(seen, trace))
            or self._known.is_one_of_many(seen, trace)
            or self._known.is_another_field(seen, trace)
            or self._known.is_another_number(seen, trace)
            or self._known.explain(trace, seen, thorough=True) is not None
            or self._went_wrong_before(trace, seen)
            or self._is_header_of_known(trace, seen)
        )

    def _is_header_of_known(self, trace: Trace, seen: Signature) -> bool:
        """Whether only the header's revision is wrong in an answer whose body shows a known finding."""
        return seen.field == "revision" and any(
            shown != seen and self._known.explain(trace, shown) is not None
            for shown in self._signatures(trace, seen.target)
        )

    def _went_wrong_before(self, trace: Trace, seen: Signature) -> bool:
        """Whether an earlier answer shows already that the target does something else: it accepted what should be
        refused, took the other branch, counted its revisions otherwise, or granted another TTL. That what it holds
        differs afterwards, or at which revision, is no finding of its own."""
        telling = {"answer", "error", "succeeded", "waiting"}
        if "revision" in str(seen) or any(isinstance(symbol, RevisionAt) for symbol in symbols(trace[-1])):
            telling.add("revision")
        if seen.field.endswith("ttl"):
            telling |= {"ttl", "granted_ttl"}
        return any(
            shown.field in telling
            for end in range(1, len(trace))
            for shown in self._signatures(trace[:end], seen.target)
        )

    def _as_simple_read(self, trace: Trace, seen: Signature) -> tuple[Trace, Signature] | None:
        """The same trace, or less of it, with a range without options as its last step, if that shows that the stores
        differ.

        One wrong state shows in the answers to many operations; shown by a simple read, it is one finding. But a field
        of a key-value that is wrong is no reason for another field of one, nor for other keys in an answer, unless
        numbers decide which these are.
        """
        if seen.kind == DIED.kind or "range" not in self._targets.get(seen.target, ()):
            return None
        last = trace[-1]
        if isinstance(last, op.As) and seen.field.startswith(("error", "cancel_reason")):
            return self._as_refused_read(trace, last, seen)
        if isinstance(last, op.Txn) and last.compare and (last.success or last.failure):
            compares = (*trace[:-1], op.Txn(last.compare))
            for shown in self._signatures(compares, seen.target):
                if shown.field == "succeeded":
                    return compares, shown  # it took the other branch: all else follows from that
        other_keys = seen.field in _WHICH_KEYS and not _depends_on_numbers(last)
        for end in range(1, len(trace)):
            for key in filter(None, reversed(keys_of(trace[: end + 1]))):
                read = (*trace[:end], op.Range(key))
                if read == trace:
                    return None  # it is a simple read already
                for shown in self._signatures(read, seen.target):
                    if (
                        shown.field.startswith("kvs")
                        and not shown.stands_alone
                        and not (other_keys and "." in shown.field)
                        and not _are_other_fields(shown, seen)
                    ):
                        return read, shown
        return self._as_rest_of_lease(trace, seen) if takes_time(trace) else None

    def _as_rest_of_lease(self, trace: Trace, seen: Signature) -> tuple[Trace, Signature] | None:
        """Less of the same trace with the question how long a lease lives as its last step, if that is answered
        wrongly already: what the lease's end shows follows from that."""
        if isinstance(trace[-1], op.LeaseTimeToLive) or "lease_time_to_live" not in self._targets.get(seen.target, ()):
            return None
        leases = [LeaseOf(step) for step, one in enumerate(trace, 1) if isinstance(one, op.LeaseGrant)]
        for end in range(1, len(trace)):
            for lease in leases:
                if lease.step <= end:
                    asked = (*trace[:end], op.LeaseTimeToLive(lease))
                    shown = next((one for one in self._signatures(asked, seen.target) if one.field == "ttl"), None)
                    if shown is not None:
                        return asked, shown
        return None

    def _as_refused_read(self, trace: Trace, last: op.As, seen: Signature) -> tuple[Trace, Signature] | None:
        """The same trace with a simple read with the same token as its last step, if that is refused wrongly too: one
        check of tokens and permissions stands before every operation."""
        read = (*trace[:-1], replace(last, operation=op.Range(b"a")))
        if isinstance(last.operation, op.Range):
            return None  # it is a read already
        refused = (shown for shown in self._signatures(read, seen.target) if shown.field.startswith("error"))
        return next(((read, shown) for shown in refused), None)

    # Running a trace

    def _shows(self, trace: Trace, seen: Signature) -> bool:
        return seen in self._signatures(trace, seen.target)

    def _part_shows(self, part: Trace, seen: Signature) -> bool:
        key = part, seen.target
        if key not in self._of_parts:
            self._of_parts[key] = self._signatures(part, seen.target)
        return seen in self._of_parts[key]

    def _signatures(self, trace: Trace, target: str) -> list[Signature]:
        """What the last step shows, but for a field that is known to be wrong in every key-value: it would be taken for
        the reason of all that a read shows."""
        if time.monotonic() > self._patience:
            return []
        return [seen for seen in self._runner.signatures(trace, target) if not self._systematic(seen)]


_WHICH_KEYS = frozenset({"kvs", "count", "more", "deleted", "prev_kv", "prev_kvs"})
"""Fields that say which keys an answer is about, how many they are, or whether it brings them."""


def _are_other_fields(shown: Signature, seen: Signature) -> bool:
    """Whether each is about a field of a key-value, and these are not the same."""
    one, other = shown.field.rpartition("."), seen.field.rpartition(".")
    return is_key_value(one[0]) and is_key_value(other[0]) and one[2] != other[2]


def _depends_on_numbers(operation: op.Operation) -> bool:
    """Whether it picks or sorts keys by their revisions or versions."""
    match bare(operation):
        case op.Range() as read:
            filters = (read.min_mod_revision, read.max_mod_revision, read.min_create_revision, read.max_create_revision)
            by_number = read.sort_target not in (op.SortTarget.KEY, op.SortTarget.VALUE)
            return bool(read.revision or any(filters) or by_number)
        case _:
            return False
