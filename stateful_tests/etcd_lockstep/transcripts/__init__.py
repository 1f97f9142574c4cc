"""What etcd is known to answer, as transcripts: one table for the model, the fake, a real etcd and any other target."""

from etcd_lockstep.transcripts.compaction import COMPACTION
from etcd_lockstep.transcripts.compares import COMPARES
from etcd_lockstep.transcripts.fresh import FRESH
from etcd_lockstep.transcripts.leases import LEASES
from etcd_lockstep.transcripts.ranges import RANGES
from etcd_lockstep.transcripts.transcript import Departure, Since, Transcript, replay
from etcd_lockstep.transcripts.txn_checks import TXN_CHECKS
from etcd_lockstep.transcripts.txn_duplicates import TXN_DUPLICATES
from etcd_lockstep.transcripts.txns import TXNS
from etcd_lockstep.transcripts.writes import WRITES

TRANSCRIPTS: tuple[Transcript, ...] = (
    *RANGES,
    *WRITES,
    *TXN_CHECKS,
    *TXN_DUPLICATES,
    *COMPARES,
    *TXNS,
    *COMPACTION,
    *LEASES,
)
"""Each begins after a reset: in a store that is empty, at revision 1, and compacted there."""

__all__ = ["FRESH", "TRANSCRIPTS", "Departure", "Since", "Transcript", "replay"]
