"""The command line's search and replay, from Python."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from etcd_lockstep import servers
from etcd_lockstep.catalogue import UserTarget, find, user_target
from etcd_lockstep.comparing.ignoring import check_fields
from etcd_lockstep.comparing.lockstep import Died, Inconclusive, Lockstep, Skipped
from etcd_lockstep.comparing.timed import TimedLockstep
from etcd_lockstep.filing.baseline import accepted_findings
from etcd_lockstep.filing.corpus import load
from etcd_lockstep.filing.replaying import Replay, Replayer
from etcd_lockstep.histories import History, Verdict, check
from etcd_lockstep.histories.files import load_history
from etcd_lockstep.names import name_of
from etcd_lockstep.searching.findings import DIED, DivergenceFound, Finding, signature
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.searching.run import Run, RunOptions
from etcd_lockstep.strategies.operation_table import FAMILIES
from etcd_lockstep.target import Target
from etcd_lockstep.trace import Trace, takes_time


class AcceptedFindingGone(UserWarning):
    """An accepted finding no longer shows, so that it need not be accepted any more."""


def find_divergences(
    target: Callable[[], Target] | str,
    *,
    etcd: str = "auto",
    seconds: float | None = None,
    examples: int | None = None,
    families: Collection[str] = tuple(FAMILIES),
    seed: int | None = None,
    ignore: Collection[str] = (),
) -> list[Finding]:
    """Search for divergences of a target from etcd, and return the findings, each with its shortest trace.

    `target`: a subclass of `Target`, what makes one when called without arguments, or the name of a target that
    `etcd-lockstep targets` lists. `etcd`: where the real etcd comes from, as for `--etcd`; `none` goes without,
    `none:3.7.3` as well and means that release.
    `seconds` of searching in all (10 where neither is given), or `examples` for each workload. The same
    `seed` draws the same sequences. `ignore`: fields of answers that are not compared, such as `create_revision` or
    `error.message`.

    Raises `ignoring.UnknownField`, `servers.BadSource`, `servers.EtcdUnavailable`, `catalogue.UnknownTarget`,
    `run.NothingToDo`.

    >>> [finding] = find_divergences("count-only-returns-kvs", etcd="none", examples=40, families=["kv"], seed=1)
    >>> print(finding)
    count-only-returns-kvs lies: range: kvs unexpected
         1 put "a" = ""
       ▶ 2 range "a", count_only
    <BLANKLINE>
             model, fake   count-only-returns-kvs
       kvs   none          "a" = "", create 2, mod 2, version 1
    """
    return _searched(target, (), etcd, seconds, examples, families, seed, ignore).findings


def assert_matches_etcd(
    target: Callable[[], Target] | str,
    *,
    allow: Collection[str | Path | Finding] = (),
    etcd: str = "auto",
    seconds: float | None = None,
    examples: int | None = None,
    families: Collection[str] = tuple(FAMILIES),
    seed: int | None = None,
    ignore: Collection[str] = (),
) -> None:
    """Search as `find_divergences` does, and raise AssertionError with the reports of all that is not allowed.

    `allow`: findings that are accepted; their fingerprints; or baselines, as a `Path` or a text that ends in `.json`.
    An accepted finding that no longer shows causes a warning, `AcceptedFindingGone`. Raises `corpus.BadFile`, and
    what `find_divergences` does.
    """
    __tracebackhide__ = True
    accepted = accepted_findings(allow)
    fingerprints = {one for one in allow if isinstance(one, str)}
    run = _searched(target, accepted, etcd, seconds, examples, families, seed, ignore)
    new = [finding for finding in run.findings if finding.fingerprint not in fingerprints]
    for gone in run.accepted.no_longer_showing:
        warnings.warn(f"accepted, but it no longer shows: {gone.fingerprint}", AcceptedFindingGone, stacklevel=2)
    if new:
        raise AssertionError("\n\n".join(f"{finding}\n   fingerprint: {finding.fingerprint}" for finding in new))


def assert_trace_matches(trace: Trace, target: Callable[[], Target] | str | None = None) -> None:
    """Run a trace on the model, the fake and a target, and raise `DivergenceFound` at the first step that differs.

    For traces of `etcd_lockstep.strategies`, or written by hand. `target`: as for `find_divergences`, made anew for
    each call; with None, the model and the fake are compared. A step that no target is asked, since a real etcd would
    crash or its outcome is open, ends the comparison. Raises `catalogue.UnknownTarget`, and ValueError for an operation
    that the target does not know.

    >>> from etcd_model import operations as op
    >>> try:
    ...     assert_trace_matches((op.Put(b"a", b"1"), op.Range(b"a", count_only=True)), "count-only-returns-kvs")
    ... except DivergenceFound as divergence:
    ...     print(divergence.finding)
    count-only-returns-kvs lies: range: kvs unexpected
         1 put "a" = "1"
       ▶ 2 range "a", count_only
    <BLANKLINE>
             model, fake   count-only-returns-kvs
       kvs   none          "a" = "1", create 2, mod 2, version 1
    """
    __tracebackhide__ = True
    with Participants(servers.NoEtcd(), [] if target is None else [_named(target)]) as participants:
        unknown = sorted(set(map(name_of, trace)) - participants.capabilities)
        if unknown:
            raise ValueError(f"{participants.others[-1].name} does not know {', '.join(unknown)}")
        finding = _first_divergence(trace, participants)
    if finding is not None:
        raise DivergenceFound(finding)


def check_history(history: History | Path | str) -> Verdict:
    """Whether a history of concurrent calls is linearizable: `Linearizable`, `Violated` or `Unknown`, all of
    `etcd_lockstep.histories`.

    `history`: a `histories.History`, or the path of a history file. Raises `corpus.BadFile` for a file that can't be
    read, and `histories.BadHistory` for a history that can't have been recorded.

    >>> from etcd_lockstep.histories import Call, History
    >>> from etcd_model import operations as op, results
    >>> put = Call(1, op.Put(b"a", b"1"), invoked=0, returned=10, outcome=results.PutResult(2))
    >>> get = Call(2, op.Range(b"a"), invoked=20, returned=30, outcome=results.RangeResult(1))
    >>> verdict = check_history(History([put, get]))
    >>> print(verdict, "–", verdict.first.what)
    violation: stale read – it was answered at revision 1, after a write had returned at 2
    """
    return check(history if isinstance(history, History) else load_history(Path(history)))


def replay(
    files: Sequence[Path | str], target: Callable[[], Target] | str | None = None, *, etcd: str = "auto"
) -> list[Replay]:
    """Run corpus files again on the model, the fake, a real etcd unless `etcd` is `none`, and a target if one is given.

    Returns an outcome for each file, in their order. Raises `corpus.BadFile`, and what `find_divergences` does.
    """
    loaded = [load(Path(file)) for file in files]
    against = [] if target is None else [_named(target)]
    with Replayer(servers.parse_source(etcd), against) as replayer:
        return [replayer.replay(file) for file in loaded]


def _searched(
    target: Callable[[], Target] | str,
    accepted: Sequence[Finding],
    etcd: str,
    seconds: float | None,
    examples: int | None,
    families: Collection[str],
    seed: int | None,
    ignore: Collection[str],
) -> Run:
    run = Run(
        RunOptions(
            source=servers.parse_source(etcd),
            against=[_named(target)],
            families=families,
            seconds=10.0 if seconds is None and examples is None else seconds,
            examples=examples,
            seed=random.randrange(2**32) if seed is None else seed,
            ignored=check_fields(ignore),
            accepted=accepted,
        )
    )
    for stage in run.stages():
        run.fuzz(stage)
    return run


def _first_divergence(trace: Trace, participants: Participants) -> Finding | None:
    lockstep = (TimedLockstep if takes_time(trace) else Lockstep)(participants.model, participants.others)
    lockstep.start()
    for number, operation in enumerate(trace, 1):
        try:
            step = lockstep.step(operation)
        except (Skipped, Inconclusive):
            return None
        except Died as died:
            return Finding(signature(died.target.name, operation, DIED), trace[:number], {}, (), died.reason)
        for divergence in step.divergences:
            seen = signature(divergence.odd_one_out, operation, divergence.differences[0])
            return Finding(seen, trace[:number], step.observations, divergence.differences)
    return None


def _named(target: Callable[[], Target] | str) -> str | UserTarget:
    if isinstance(target, str):
        return find(target)
    return user_target(target, getattr(target, "__name__", "target"))
