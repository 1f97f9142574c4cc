"""How bad a finding is, from its failure signature alone."""

from __future__ import annotations

from enum import Enum

from etcd_lockstep.codec import MALFORMED_NAMES
from etcd_lockstep.searching.findings import DIED, Signature


class Severity(Enum):
    """What a program that relies on the target would suffer, the worst first."""

    CRASH = "crashes, hangs or raises"
    DATA = "lost or wrong data"
    REVISION = "wrong revision"
    ACCEPTS = "accepts what etcd refuses"
    REFUSES = "refuses what etcd accepts"
    MISSING = "missing field"
    MESSAGE = "other error or message"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return _ORDER.index(self)


_ORDER = tuple(Severity)

_REVISIONS = frozenset({"revision", "create_revision", "mod_revision", "version", "compact_revision", "header_behind"})
"""The last part of a path: what a guard of a txn, or a watch that resumes, relies on."""

_DATA = frozenset(
    {"kvs", "prev_kvs", "events", "value", "key", "keys", "more", "succeeded", "responses", "watches"}
    | {"leases", "users", "roles", "members", "perm", "alarms", "enabled", "hash"}
)
"""The last part of a path: without these, the answer says that something is not there, or not so."""


def severity_of(seen: Signature) -> Severity:
    """The severity of a failure signature.

    A scalar that reads as zero counts as missing, also where etcd's answer has a number there: an absent field of a
    message is zero.
    """
    last = seen.field.rpartition(".")[2]
    verb = seen.kind.partition(" ")[0]
    match seen.field, verb:
        case "answer", "raised" if seen.kind.removeprefix("raised ") in MALFORMED_NAMES:
            return Severity.DATA
        case "answer", ("raised" | "hangs" | DIED.kind):
            return Severity.CRASH
        case ("error", "accepted") | ("waiting", "missing"):
            return Severity.ACCEPTS
        case ("error", "refused") | ("waiting", "unexpected"):
            return Severity.REFUSES
        case (("error.code" | "error.message" | "watches.cancels"), _):
            return Severity.MESSAGE
        case "version", _ if seen.operation == "status":  # the release, and no number of a key
            return Severity.MESSAGE
        case _, "missing" if last not in _DATA:
            return Severity.MISSING
        case _ if last in _REVISIONS:
            return Severity.REVISION
        case _:
            return Severity.DATA
