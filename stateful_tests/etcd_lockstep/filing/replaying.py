"""Replaying: whether the lie that a corpus file reports is still reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType

from etcd_lockstep.catalogue import UserTarget
from etcd_lockstep.comparing.comparison import without_numbers
from etcd_lockstep.comparing.lockstep import (
    REFERENCES,
    UNDECIDED,
    Died,
    FoundInexpressible,
    Inconclusive,
    Lockstep,
    Skipped,
)
from etcd_lockstep.comparing.timed import TimedLockstep
from etcd_lockstep.filing.corpus import RECORDED, CorpusFile
from etcd_lockstep.names import name_of
from etcd_lockstep.searching.findings import DIED, SEEN_ONCE, Signature, signature
from etcd_lockstep.searching.participants import NO_AUTH_REVISION, Participants
from etcd_lockstep.servers import USUAL, Endpoint, EtcdSource, ServerSettings
from etcd_lockstep.servers.identities import missing_packages
from etcd_lockstep.strategies.workloads import AUTH, CERTIFICATES, JWT, QUOTA
from etcd_lockstep.target import Target, TargetDied
from etcd_lockstep.targets.deadline import CALL_TIMEOUT
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import Trace, takes_time


class Outcome(Enum):
    """What a replay says of a file."""

    FIXED = "FIXED"
    STILL_LIES = "STILL LIES"
    NOT_REPRODUCED = "NOT REPRODUCED"
    """It was seen once only when it was found, so that it does not show now says nothing."""
    NOT_REPLAYED = "NOT REPLAYED"


@dataclass(frozen=True, slots=True)
class Replay:
    """The outcome for one file, and what there is to say about it."""

    file: CorpusFile
    outcome: Outcome
    remark: str = ""


class Replayer:
    """Replays corpus files one after the other, each on a server with the settings that its trace needs.

    The servers and targets are started when the first file needs them, and closed at the end: a context manager.
    """

    def __init__(
        self,
        source: EtcdSource,
        against: Sequence[str | UserTarget] = (),
        *,
        allow_destroy: bool = False,
        call_timeout: float = CALL_TIMEOUT,
        progress: Callable[[str], None] = lambda _line: None,
        on_start: Callable[[Participants], None] = lambda _participants: None,
    ) -> None:
        """`on_start` is called with the participants whenever others are started."""
        self._source = source
        self._against = against
        self._allow_destroy = allow_destroy
        self._call_timeout = call_timeout
        self._progress = progress
        self._on_start = on_start
        self._participants: Participants | None = None
        self._settings = USUAL

    def replay(self, file: CorpusFile) -> Replay:
        """The outcome for one file. Raises what `Participants` does."""
        if file.over_quota and isinstance(self._source, Endpoint):
            return Replay(file, Outcome.NOT_REPLAYED, "it takes a server that is over its quota")
        if file.tokens and isinstance(self._source, Endpoint):
            return Replay(file, Outcome.NOT_REPLAYED, "it takes a server that is started with certificates of its own")
        if file.tokens and (missing := missing_packages()):
            return Replay(file, Outcome.NOT_REPLAYED, missing)
        participants = self._started(settings_for(file))
        if file.tokens == "jwt" and not participants.report_auth_revisions:
            return Replay(file, Outcome.NOT_REPLAYED, NO_AUTH_REVISION)
        return replay(file, participants.model, participants.others)

    def _started(self, settings: ServerSettings) -> Participants:
        if self._participants is None or self._settings != settings:
            self.close()  # a target of the user's may be there only once
            self._participants = Participants(
                self._source,
                self._against,
                settings=settings,
                allow_destroy=self._allow_destroy,
                call_timeout=self._call_timeout,
                progress=self._progress,
            )
            self._settings = settings
            self._on_start(self._participants)
        return self._participants

    def close(self) -> None:
        """Close the targets, and stop what was started."""
        if self._participants is not None:
            self._participants.close()
            self._participants = None

    def __enter__(self) -> Replayer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def settings_for(file: CorpusFile) -> ServerSettings:
    """Of the server that a trace needs."""
    workloads = {"jwt": JWT, "simple": CERTIFICATES, "": QUOTA if file.over_quota else AUTH}
    return workloads[file.tokens].settings


def replay(file: CorpusFile, model: ModelTarget, others: Sequence[Target]) -> Replay:
    """Run a file's trace in lockstep.

    It still lies if the model, the fake and the real etcd differ anywhere, or if any other target shows, at
    the last step, what the file reports. What else such a target may do wrong is other files' business; but
    of a recorded session, which reports nothing, it still lies if any target differs anywhere.
    """
    unable = _unable(file.trace, others)
    if unable:
        return Replay(file, Outcome.NOT_REPLAYED, unable)
    lockstep = (TimedLockstep if takes_time(file.trace) else Lockstep)(model, others)
    remarks: list[str] = []
    try:
        lockstep.start()
        for number, operation in enumerate(file.trace, 1):
            for divergence in lockstep.step(operation).divergences:
                seen = [signature(divergence.odd_one_out, operation, one) for one in divergence.differences]
                reported = f"{divergence.odd_one_out} at step {number}: {', '.join(map(str, seen))}"
                if file.signature.kind == RECORDED or divergence.odd_one_out in (*REFERENCES, UNDECIDED):
                    return Replay(file, Outcome.STILL_LIES, reported)
                if number == len(file.trace) and any(_same(one, file) for one in seen):
                    return Replay(file, Outcome.STILL_LIES, reported)
                remarks.append(reported)
    except Died as died:
        return _died(file, died, lockstep.steps)
    except (Skipped, FoundInexpressible) as reason:
        return Replay(file, Outcome.NOT_REPLAYED, str(reason))
    except Inconclusive:
        return Replay(file, Outcome.NOT_REPLAYED, "it took so long that its leases may have expired")
    remark = f"but {remarks[0]}" if remarks else ""
    return Replay(file, Outcome.NOT_REPRODUCED if file.note == SEEN_ONCE else Outcome.FIXED, remark)


def _same(seen: Signature, file: CorpusFile) -> bool:
    """Files from before numbers were left out of signatures have them; and some are about a field that is no longer
    compared where a watch is refused that should not be, or the other way round."""
    filed = file.signature
    follows = seen.field == "canceled" and filed.field in ("cancel_reason", "watch_id")
    return str(seen) == without_numbers(str(filed)) or (follows and seen.operation == filed.operation)


def _died(file: CorpusFile, died: Died, step: int) -> Replay:
    remark = f"{died.target.name} died at step {step}: {died.reason}"
    try:
        died.target.revive()
    except TargetDied as gone:
        raise TargetDied(f"{remark}; {gone}") from gone
    same = file.signature.kind in (DIED.kind, RECORDED) or died.target.name in REFERENCES
    return Replay(file, Outcome.STILL_LIES if same else Outcome.NOT_REPLAYED, remark)


def _unable(trace: Trace, others: Sequence[Target]) -> str:
    for target in others:
        missing = sorted(set(map(name_of, trace)) - target.capabilities)
        if missing:
            return f"{target.name} knows no {', '.join(missing)}"
    return ""
