"""A specimen is a fake that lies on purpose, in one named way, to prove that the suite finds it."""

from collections.abc import Callable

from etcd_lockstep.specimens.auth import (
    PermissionRangeEndIgnored,
    RevokedRoleStillCounts,
    TokenSurvivesPasswordChange,
    TxnsNotChecked,
)
from etcd_lockstep.specimens.history import SubRevisionsForgotten, TombstonesForgotten
from etcd_lockstep.specimens.lease import (
    FifoLeaseMapping,
    LeaseOnPutIgnored,
    OneKeyPerLease,
    StaleLeaseQueue,
    UnknownRevokeAccepted,
)
from etcd_lockstep.specimens.lock import LockDoesNotWait, ResignIgnoresRevision
from etcd_lockstep.specimens.read import AnyOptionMeansCountOnly, CountOnlyReturnsKvs
from etcd_lockstep.specimens.revision import DeleteOfMissingBumps
from etcd_lockstep.specimens.slot_mock import SlotMock
from etcd_lockstep.specimens.time import (
    ExpiryDeletesOneKeyOnly,
    KeepAliveDoesNotRenew,
    LeaseNeverExpires,
    TtlNotClamped,
)
from etcd_lockstep.specimens.txn import NoReadYourWrites, OnlyFirstCompare
from etcd_lockstep.specimens.watch import (
    CancelIgnored,
    CaughtUpTwice,
    CompactedStartAccepted,
    DeleteEventCarriesValue,
    DeleteEventForMissing,
    DropsOnBurst,
    FiltersIgnored,
    ProgressNeverAnswered,
    RevisionBackwards,
    RevisionSplit,
    SecondWatchReplacesFirst,
    SilentExpiry,
    SilentRevoke,
    SilentTxn,
    StartRevisionIgnored,
    WatchPrevKvMissing,
)
from etcd_lockstep.target import Target

SPECIMENS: dict[str, Callable[[], Target]] = {
    specimen.name: specimen
    for specimen in (
        AnyOptionMeansCountOnly,
        CountOnlyReturnsKvs,
        DeleteOfMissingBumps,
        OnlyFirstCompare,
        NoReadYourWrites,
        FifoLeaseMapping,
        StaleLeaseQueue,
        LeaseOnPutIgnored,
        OneKeyPerLease,
        UnknownRevokeAccepted,
        TtlNotClamped,
        LeaseNeverExpires,
        KeepAliveDoesNotRenew,
        ExpiryDeletesOneKeyOnly,
        SilentTxn,
        SilentRevoke,
        SilentExpiry,
        DropsOnBurst,
        SecondWatchReplacesFirst,
        DeleteEventCarriesValue,
        DeleteEventForMissing,
        CaughtUpTwice,
        RevisionBackwards,
        RevisionSplit,
        StartRevisionIgnored,
        CompactedStartAccepted,
        FiltersIgnored,
        WatchPrevKvMissing,
        CancelIgnored,
        ProgressNeverAnswered,
        TxnsNotChecked,
        PermissionRangeEndIgnored,
        RevokedRoleStillCounts,
        TokenSurvivesPasswordChange,
        LockDoesNotWait,
        ResignIgnoresRevision,
        SubRevisionsForgotten,
        TombstonesForgotten,
        SlotMock,
    )
}
"""Every specimen by its name. The slot mock is one whole mock with all of its lies; the others have one each."""

__all__ = ["SPECIMENS"]
