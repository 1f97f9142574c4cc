"""The shortest sequence of plain operations that shows each specimen's lie, at its last step. A search may end with a
shorter one, in which a txn does what several operations do here.

A trace shows the lie in the answer to its last operation: an honest etcd gives one, the specimen another.
"""

from etcd_lockstep.specimens.shortest.auth import AUTH
from etcd_lockstep.specimens.shortest.kv import READ, REVISION, WRITE
from etcd_lockstep.specimens.shortest.lease import ATTACHMENT, LEASE, TIME
from etcd_lockstep.specimens.shortest.lock import HISTORY, LOCK
from etcd_lockstep.specimens.shortest.txn import TXN
from etcd_lockstep.specimens.shortest.watch import WATCH
from etcd_lockstep.trace import Trace

SHORTEST: dict[str, Trace] = {
    **READ,
    **WRITE,
    **REVISION,
    **TXN,
    **LEASE,
    **ATTACHMENT,
    **TIME,
    **WATCH,
    **LOCK,
    **AUTH,
    **HISTORY,
}
"""By the name of a specimen. Whole mocks have many lies, and no trace here."""

__all__ = ["SHORTEST"]
