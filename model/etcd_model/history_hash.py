"""HashKV: a checksum over the records of the history, which says whether two stores are the same ones.

What is hashed depends on compaction: of the records up to the compact revision only the newest of each key
that lives at the hashed revision counts, unless no key lives then: then all those that are still stored do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from google_crc32c import value as crc32c

from etcd_model.errors import COMPACTED, FUTURE_REVISION, Error
from etcd_model.operations import Compact, HashKV
from etcd_model.records import HASHES_KEPT, CompactionHash, Record
from etcd_model.results import HashKVResult
from etcd_model.state import DeleteEvent, PutEvent, State


def hash_kv(state: State, operation: HashKV) -> tuple[State, HashKVResult | Error]:
    """A remembered hash is given out before the revision is compared with the compact one
    (etcd server/storage/mvcc/hash.go, HashByRev; kvstore.go, hashByRev)."""
    revision, quirks = operation.revision, state.server.quirks
    remembered = remembered_hash(state, revision)
    compact_revision = remembered.previous if remembered else state.compact_revision
    if remembered is None and revision > 0:
        if revision < state.compact_revision:
            return state, COMPACTED
        if revision == state.compact_revision and not quirks.hash_of_compact_revision:
            return state, COMPACTED
        if revision > state.revision:
            return state, FUTURE_REVISION
    hashed = revision if remembered else revision or state.revision
    return state, HashKVResult(
        state.revision,
        history_hash(state, revision),
        compact_revision,
        hashed if quirks.hash_kv_reports_revision else 0,
    )


def _same(number: int) -> int:
    return number


def history_hash(
    state: State,
    revision: int,
    *,
    revision_of: Callable[[int], int] = _same,
    lease_of: Callable[[int], int] = _same,
) -> int:
    """The hash that HashKV answers for this revision, by the revisions and the leases of another store that did
    the same: `revision_of` and `lease_of` report them."""
    parts = [b"key"]  # the name of the bucket
    for record in history_records(state, revision):
        parts.append(revision_of(record.main).to_bytes(8, "big") + b"_" + record.sub.to_bytes(8, "big"))
        kv = record.kv
        if kv is None:
            parts.append(b"t" + _bytes_field(0x0A, record.key))
            continue
        parts += (
            _bytes_field(0x0A, kv.key),
            _int_field(0x10, revision_of(kv.create_revision)),
            _int_field(0x18, revision_of(kv.mod_revision)),
            _int_field(0x20, kv.version),
            _bytes_field(0x2A, kv.value),
            _int_field(0x30, lease_of(kv.lease)) if kv.lease else b"",
        )
    checksum: int = crc32c(b"".join(parts))
    return checksum


def _bytes_field(tag: int, value: bytes) -> bytes:
    """A field of `mvccpb.KeyValue`, as protobuf encodes it: left out if it is empty."""
    return bytes((tag,)) + _varint(len(value)) + value if value else b""


def _int_field(tag: int, value: int) -> bytes:
    return bytes((tag,)) + _varint(value)


def _varint(number: int) -> bytes:
    """A negative number is that of 64 bits."""
    if 0 <= number <= 0x7F:
        return bytes((number,))
    number &= 0xFFFF_FFFF_FFFF_FFFF
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def history_records(state: State, revision: int) -> tuple[Record, ...]:
    """The records that HashKV hashes for this revision, in their order; 0 is the current one.
    Nothing is that old where the revision is negative, so that nothing is hashed."""
    remembered = remembered_hash(state, revision)
    if remembered:
        return remembered.records
    return _records(state, revision or state.revision, _kept(state, revision or state.revision))


def remembered_hash(state: State, revision: int) -> CompactionHash | None:
    """The compaction at this revision, if etcd remembers what it hashed then. It gives that out ever after,
    whatever was compacted since: `previous` is then the compact revision of the answer."""
    if not state.server.quirks.compactions_hashed:
        return None
    for hashed in state.past.hashes[-HASHES_KEPT:]:
        if hashed.revision == revision:
            return hashed
    return None


def nondeterministic_hash(state: State, revision: int) -> str | None:
    """Why nobody can see what HashKV would answer for this revision; or None."""
    quirks, hashes = state.server.quirks, state.past.hashes
    if quirks.compactions_hashed and revision != NEVER:
        unknown = hashes[0].previous if hashes else state.compact_revision
        sure = sum(hashed.sure for hashed in hashes if hashed.revision > revision)
        if revision == unknown and sure < HASHES_KEPT:
            return "what was hashed when this revision was compacted was there before the store was"
        for number, hashed in enumerate(reversed(hashes)):
            if hashed.revision == revision and (number >= HASHES_KEPT or not hashed.sure):
                return "whether the hash of this compaction is remembered is nondeterministic"
        if hashes and revision == hashes[-1].revision and not state.past.settled:
            return _UNFINISHED
    if not state.past.settled and revision <= state.revision and not _kept(state, revision or state.revision):
        return _UNFINISHED
    return None


NEVER = -1
"""The compact revision of a store that was never compacted."""

_UNFINISHED = "a compaction that is not physical may still be on its way"


def compacted(state: State, operation: Compact) -> State:
    """The state after a compaction that is not refused."""
    revision = operation.revision
    past = replace(state.past, subs=_subs(state, revision), settled=operation.physical)
    if state.server.quirks.compactions_hashed:
        past = replace(past, hashes=_with_hash(state, revision))
    kept = tuple(commit for commit in state.commits if commit.revision >= revision)
    return replace(state, commits=kept, compact_revision=revision, past=past)


def settled(state: State) -> State:
    """The state once all compactions are carried out. A `physical` one waits for those before it, even where
    it is refused itself (etcd server/storage/mvcc/kvstore.go, updateCompactRev: compactBarrier)."""
    return state if state.past.settled else replace(state, past=replace(state.past, settled=True))


def _with_hash(state: State, revision: int) -> tuple[CompactionHash, ...]:
    """As many are held as it takes for ten of them to be remembered for certain."""
    kept = _kept(state, revision)
    if state.server.quirks.compaction_keeps_tombstones:
        kept |= {event.key for event in _events(state, revision) if isinstance(event, DeleteEvent)}
    sure = state.past.settled or not state.server.quirks.compaction_hashed_after_finished_one
    hashes = (
        *state.past.hashes,
        CompactionHash(revision, state.compact_revision, _records(state, revision, kept), sure),
    )
    while sum(hashed.sure for hashed in hashes[1:]) >= HASHES_KEPT:
        hashes = hashes[1:]
    return hashes


def _events(state: State, revision: int) -> tuple[PutEvent | DeleteEvent, ...]:
    first = state.commits[0].revision
    return state.commits[revision - first].events if revision >= first else ()


def _kept(state: State, revision: int) -> set[bytes]:
    """The keys of which a compaction at this revision would keep a record (etcd server/storage/mvcc/key_index.go,
    keep): those alive, and not even all of these where tombstones are kept: a key that was deleted at the
    very revision, and put again, has its tombstone found first."""
    first = state.commits[0].revision
    if revision < first:
        return set()
    kept = set(state.keys_at(revision))
    if state.server.quirks.compaction_keeps_tombstones:
        kept -= {event.key for event in _events(state, revision) if isinstance(event, DeleteEvent)}
    return kept


def _records(state: State, revision: int, kept: set[bytes]) -> tuple[Record, ...]:
    """All records up to the revision, but of those up to the compact revision only those kept, if any is kept.
    Tombstones at the compact revision never count, whether they are still there or not."""
    return (*_oldest(state, revision, kept), *_newer(state, revision))


def _oldest(state: State, revision: int, kept: set[bytes]) -> Iterable[Record]:
    """The records that the compaction has left."""
    compact_revision, first = state.compact_revision, state.commits[0].revision
    if not first <= compact_revision <= revision:
        return []
    now = state.keys_at(revision)
    return sorted(
        (
            Record(kv.mod_revision, state.past.subs.get(kv.key, 0), kv.key, kv)
            for kv in state.keys_at(compact_revision).values()
            if not kept or (kv.key in kept and now.get(kv.key) == kv)
        ),
        key=lambda record: (record.main, record.sub),
    )


def _newer(state: State, revision: int) -> Iterable[Record]:
    for commit in state.commits:
        if state.compact_revision < commit.revision <= revision:
            for sub, event in enumerate(commit.events):
                match event:
                    case PutEvent(kv=kv):
                        yield Record(commit.revision, sub, kv.key, kv)
                    case DeleteEvent(key=key):
                        yield Record(commit.revision, sub, key, None)


def _subs(state: State, revision: int) -> dict[bytes, int]:
    """`Past.subs` after a compaction at this revision."""
    subs = dict(state.past.subs)
    for record in _newer(state, revision):
        subs[record.key] = record.sub
    first = state.commits[0].revision
    alive = state.keys_at(revision) if revision >= first else {}
    return {key: sub for key, sub in subs.items() if sub and key in alive}
