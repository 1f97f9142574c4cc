"""What is mutated, and what has to notice it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Area:
    """Modules that the same judge decides about."""

    name: str
    modules: tuple[str, ...]
    searched: bool
    """Whether the lockstep search is the first judge. Where it misses a mutant, and elsewhere, the tests are."""
    tests: tuple[str, ...]
    """Files and options for pytest, from the root of the repository."""


def _of(package: str, names: str) -> tuple[str, ...]:
    return tuple(f"{package}.{name}" for name in names.split())


_TRANSCRIPTS = ("stateful_tests/test_lockstep_transcripts.py", "-k", "model or fake")

MODEL = Area(
    "model",
    _of(
        "etcd_model",
        "admission events history_hash kv lease lock maintenance quota ranges sizes state step streams txn watch "
        "auth.changes auth.management auth.permission auth.store",
    ),
    True,
    (*_TRANSCRIPTS, "model"),
)
FAKE = Area(
    "fake",
    _of(
        "fake_etcd",
        "alarms auth auth_grants auth_passwords auth_tokens backend concurrency core hash_kv lease permissions ranges "
        "store txn txn_checks watch watch_events watch_hub writes "
        "services.auth services.election services.kv services.lease services.lock services.maintenance",
    ),
    True,
    (*_TRANSCRIPTS, "fake"),
)


def _harness(module: str, *tests: str) -> Area:
    files = tuple(f"stateful_tests/test_lockstep_{name}.py" for name in tests)
    return Area("harness", (f"etcd_lockstep.{module}",), False, files)


HARNESS = (
    _harness("comparing.comparison", "comparison", "comparison_complete", "observation", "voting"),
    _harness("comparing.observation", "observation", "comparison_complete", "comparison", "voting"),
    _harness("comparing.lockstep", "voting", "trace", "run"),
    _harness("comparing.timed", "timed"),
    _harness("searching.known", "known", "search"),
    _harness("searching.options", "known"),
    _harness("searching.acceptance", "shrinking", "search"),
    _harness("searching.shrinking", "shrinking", "shrinking_otherwise", "search"),
    _harness("searching.plainer", "shrinking", "shrinking_otherwise", "search"),
    _harness("strategies.simplify", "shrinking", "shrinking_otherwise", "strategies", "shapes"),
    _harness("searching.findings", "findings", "known", "search"),
    _harness("filing.corpus", "corpus", "corpus_files", "replaying"),
    _harness("filing.notation", "notation", "corpus"),
    _harness("trace", "trace", "shrinking", "shrinking_otherwise"),
)

AREAS: tuple[Area, ...] = (MODEL, FAKE, *HARNESS)
"""Not among the model's: `crashing` and `nondeterministic`, which say what no real server is asked, and the quirks."""
