"""RangeStream: a Range in chunks, since 3.7. Transcripts hold what the chunks say together."""

from __future__ import annotations

from etcd_lockstep.trace import RevisionAt
from etcd_lockstep.transcripts.transcript import Since, kv, says
from etcd_model.errors import (
    COMPACTED,
    CUSTOM_SORT_STREAMED,
    EMPTY_KEY,
    FUTURE_REVISION,
    INVALID_SORT_OPTION,
    REVISION_FILTERS_STREAMED,
    unimplemented,
)
from etcd_model.operations import Compact, Put, RangeStream, SortOrder, SortTarget
from etcd_model.results import CompactResult, PutResult, RangeResult, Result

ALL = b"\x00"
KEYS = tuple(b"k%02d" % number for number in range(12))
PUTS = tuple((Put(key, b"%02d" % (99 - at)), PutResult(at + 2)) for at, key in enumerate(KEYS))
KVS = tuple(kv(key, b"%02d" % (99 - at), at + 2, at + 2, 1) for at, key in enumerate(KEYS))
END = len(KEYS) + 1


def streamed(answer: Result) -> Since:
    """The answer of a release that has the method."""
    return Since("range_streams", unimplemented("etcdserverpb.KV", "RangeStream"), answer)


RANGE_STREAMS = (
    says(
        "more keys than a chunk holds come in ascending order, and the last chunk counts them all",
        *PUTS,
        (RangeStream(ALL, ALL), streamed(RangeResult(END, KVS, count=12))),
        (RangeStream(ALL, ALL, limit=11), streamed(RangeResult(END, KVS[:11], more=True, count=12))),
        (RangeStream(ALL, ALL, limit=12), streamed(RangeResult(END, KVS, count=12))),
        (RangeStream(ALL, ALL, limit=-1), streamed(RangeResult(END, KVS, count=12))),
        (RangeStream(ALL, ALL, limit=2, count_only=True), streamed(RangeResult(END, count=12))),
        (RangeStream(ALL, ALL, sort_order=SortOrder.ASCEND), streamed(RangeResult(END, KVS, count=12))),
    ),
    says(
        "without a sort order, a sort target sorts one chunk, from whose last key on the rest is counted",
        *PUTS[:3],
        (
            RangeStream(ALL, ALL, sort_target=SortTarget.VALUE),
            streamed(RangeResult(4, KVS[2::-1], count=3)),
        ),
        (
            RangeStream(ALL, ALL, limit=1, sort_target=SortTarget.VALUE),
            streamed(RangeResult(4, (KVS[1],), more=True, count=2)),
        ),
    ),
    says(
        "it reads the past, but neither what is compacted nor what is yet to come",
        *PUTS[:3],
        (RangeStream(ALL, ALL, revision=RevisionAt(2)), streamed(RangeResult(4, KVS[:2], count=2))),
        (RangeStream(ALL, ALL, revision=RevisionAt(3, 1)), streamed(FUTURE_REVISION)),
        (Compact(RevisionAt(2)), CompactResult(4)),
        (RangeStream(ALL, ALL, revision=RevisionAt(1)), streamed(COMPACTED)),
    ),
    says(
        "it refuses a sort order of its own and filters by revision, after what a Range refuses too",
        (RangeStream(b""), streamed(EMPTY_KEY)),
        (RangeStream(b"a", sort_order=9), streamed(INVALID_SORT_OPTION)),
        (RangeStream(b"a", sort_order=SortOrder.DESCEND), streamed(CUSTOM_SORT_STREAMED)),
        (RangeStream(b"a", sort_order=1, sort_target=SortTarget.MOD), streamed(CUSTOM_SORT_STREAMED)),
        (RangeStream(b"a", min_mod_revision=1), streamed(REVISION_FILTERS_STREAMED)),
        (RangeStream(b"a", max_create_revision=-1, revision=9), streamed(REVISION_FILTERS_STREAMED)),
    ),
)
