"""What etcd is known to answer, as transcripts: one table for the model, the fake, a real etcd and any other target."""

from etcd_lockstep.transcripts.alarms import ALARMS
from etcd_lockstep.transcripts.auth import AUTH
from etcd_lockstep.transcripts.compaction import COMPACTION
from etcd_lockstep.transcripts.compares import COMPARES
from etcd_lockstep.transcripts.expiry import EXPIRY
from etcd_lockstep.transcripts.fresh import FRESH
from etcd_lockstep.transcripts.guards import GUARDS
from etcd_lockstep.transcripts.history import HISTORY
from etcd_lockstep.transcripts.leases import LEASES
from etcd_lockstep.transcripts.locks import LOCKS
from etcd_lockstep.transcripts.maintenance import MAINTENANCE
from etcd_lockstep.transcripts.maintenance_guards import MAINTENANCE_GUARDS
from etcd_lockstep.transcripts.members import MEMBERS
from etcd_lockstep.transcripts.permissions import PERMISSIONS
from etcd_lockstep.transcripts.range_streams import RANGE_STREAMS
from etcd_lockstep.transcripts.ranges import RANGES
from etcd_lockstep.transcripts.sizes import SIZES
from etcd_lockstep.transcripts.transcript import (
    ByVersion,
    Departure,
    Since,
    Transcript,
    replay,
    replay_in_lockstep,
    said,
)
from etcd_lockstep.transcripts.txn_checks import TXN_CHECKS
from etcd_lockstep.transcripts.txn_duplicates import TXN_DUPLICATES
from etcd_lockstep.transcripts.txns import TXNS
from etcd_lockstep.transcripts.users import USERS
from etcd_lockstep.transcripts.watch_events import WATCH_EVENTS
from etcd_lockstep.transcripts.watches import WATCHES
from etcd_lockstep.transcripts.writes import WRITES

TRANSCRIPTS: tuple[Transcript, ...] = (
    *RANGES,
    *RANGE_STREAMS,
    *WRITES,
    *TXN_CHECKS,
    *TXN_DUPLICATES,
    *COMPARES,
    *TXNS,
    *COMPACTION,
    *LEASES,
    *EXPIRY,
    *WATCHES,
    *WATCH_EVENTS,
    *AUTH,
    *USERS,
    *PERMISSIONS,
    *GUARDS,
    *MAINTENANCE_GUARDS,
    *MAINTENANCE,
    *MEMBERS,
    *ALARMS,
    *HISTORY,
    *LOCKS,
    *SIZES,
)
"""Each begins after a reset: in a store that is empty, at revision 1, and compacted there."""

__all__ = [
    "FRESH",
    "TRANSCRIPTS",
    "ByVersion",
    "Departure",
    "Since",
    "Transcript",
    "replay",
    "replay_in_lockstep",
    "said",
]
