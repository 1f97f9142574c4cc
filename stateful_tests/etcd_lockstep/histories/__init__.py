"""Histories of concurrent calls, and the check whether they are linearizable. Nothing in here but `files` does I/O."""

from etcd_lockstep.histories.checking import check
from etcd_lockstep.histories.history import (
    Account,
    BadHistory,
    Beginning,
    Call,
    Fault,
    History,
    Indefinite,
    Outcome,
    Watch,
    WatchResponse,
)
from etcd_lockstep.histories.verdicts import Anomaly, Linearizable, Unknown, Verdict, Violated, Violation

__all__ = [
    "Account",
    "Anomaly",
    "BadHistory",
    "Beginning",
    "Call",
    "Fault",
    "History",
    "Indefinite",
    "Linearizable",
    "Outcome",
    "Unknown",
    "Verdict",
    "Violated",
    "Violation",
    "Watch",
    "WatchResponse",
    "check",
]
