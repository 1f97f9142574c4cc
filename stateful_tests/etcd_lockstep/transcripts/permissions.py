"""What a user may read and write: grants, and what each KV request needs of them."""

from __future__ import annotations

from etcd_lockstep.transcripts.auth_fixtures import (
    BAD,
    DONE,
    READ,
    READWRITE,
    WRITE,
    as_root,
    as_user,
    may,
    realm,
)
from etcd_lockstep.transcripts.transcript import Since, Step, kv, says
from etcd_model import operations as op
from etcd_model.errors import (
    COMPACTED,
    DUPLICATE_KEY,
    EMPTY_KEY,
    FUTURE_REVISION,
    INVALID_AUTH_TOKEN,
    KEY_NOT_FOUND,
    LEASE_NOT_FOUND,
    PERMISSION_DENIED,
    USER_EMPTY,
)
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    DeleteRangeResult,
    LeaseGrantResult,
    PutResult,
    RangeResult,
    TxnResult,
)


def version(key: bytes, operand: int, range_end: bytes = b"") -> op.Compare:
    return op.Compare(key, op.CompareTarget.VERSION, op.CompareResult.EQUAL, operand, range_end)


def denied(*operations: op.Operation) -> tuple[Step, ...]:
    """What a user may not do."""
    return tuple(as_user(operation, PERMISSION_DENIED) for operation in operations)


def covered(
    *granted: op.Permission, read: tuple[tuple[bytes, bytes], ...], unread: tuple[tuple[bytes, bytes], ...]
) -> tuple[Step, ...]:
    """Which ranges may be read with these grants, and which not."""
    return (
        *realm(*granted),
        *(as_user(op.Range(key, end), RangeResult(1)) for key, end in read),
        *denied(*(op.Range(key, end) for key, end in unread)),
    )


_COVER = (
    says(
        "a key that was granted is that key, and no range but the one that holds nothing else",
        *covered(
            may(READ, b"k"),
            read=((b"k", b""), (b"k", b"k\x00")),
            unread=((b"j", b""), (b"k\x00", b""), (b"k", b"l"), (b"k", FROM_KEY), (b"j", b"l")),
        ),
    ),
    says(
        "a range that was granted is all that lies in it, but for its end",
        *covered(
            may(READ, b"b", b"d"),
            read=((b"b", b""), (b"c\xff", b""), (b"b", b"d"), (b"b\x00", b"c")),
            unread=((b"d", b""), (b"a", b""), (b"a", b"c"), (b"b", b"d\x00"), (b"c", FROM_KEY)),
        ),
    ),
    says(
        "all keys from one on are granted with no end, and only that covers a range with none",
        *covered(
            may(READ, b"m", FROM_KEY),
            read=((b"m", FROM_KEY), (b"n", FROM_KEY), (b"m", b"zzz"), (b"\xff\xff", b"")),
            unread=((b"a", FROM_KEY), (b"l", b"n"), (b"l", b"")),
        ),
    ),
    says(
        "grants that touch or overlap are as good as one",
        *covered(
            may(READ, b"a", b"c"),
            may(READ, b"c", b"e"),
            may(READWRITE, b"d", b"g"),
            may(READ, b"k"),
            may(READ, b"k\x00", b"m"),
            may(WRITE, b"g", b"i"),
            read=((b"a", b"e"), (b"b", b"g"), (b"k", b"m")),
            unread=((b"a", b"h"), (b"a", FROM_KEY), (b"g", b""), (b"j", b"m")),
        ),
    ),
    says(
        "two keys that were granted leave out what is between them",
        *covered(may(READ, b"k1"), may(READ, b"k3"), read=((b"k1", b""), (b"k3", b"")), unread=((b"k1", b"k3"),)),
    ),
    says(
        "the grant of everything is from the least key on",
        *covered(
            may(READ, b"\x00", FROM_KEY),
            read=((b"\x00", FROM_KEY), (b"\x00", b""), (b"a", b"b"), (b"z", FROM_KEY)),
            unread=(),
        ),
    ),
    says(
        "an inverted range in one that was granted may be read, for it holds nothing",
        *covered(
            may(READ, b"k", b"l"),
            read=((b"k2", b"k1"), (b"k1", b"k1")),
            unread=((b"l", b"k"), (b"a", b"a")),
        ),
    ),
    says(
        "the grants of all roles of a user count together",
        *realm(may(READ, b"a", b"c")),
        as_root(op.RoleAdd("s"), DONE),
        as_root(op.RoleGrantPermission("s", may(READ, b"c", b"e")), DONE),
        *denied(op.Range(b"b", b"d")),
        as_root(op.UserGrantRole("u", "s"), DONE),
        as_user(op.Range(b"b", b"d"), RangeResult(1)),
    ),
    says(
        "root may do everything, with and without grants",
        *realm(),
        as_root(op.Put(b"a", b"1"), PutResult(2)),
        as_root(op.Range(b"\x00", FROM_KEY), RangeResult(2, (kv(b"a", b"1", 2, 2, 1),), count=1)),
        as_root(op.DeleteRange(b"\x00", FROM_KEY), DeleteRangeResult(3, 1)),
        as_root(op.Compact(0), COMPACTED),
    ),
)

_REQUESTS = (
    says(
        "who may only write may not read, not even count, and the other way round",
        *realm(may(READ, b"r"), may(WRITE, b"w")),
        as_user(op.Range(b"r"), RangeResult(1)),
        as_user(op.Put(b"w", b"1"), PutResult(2)),
        as_user(op.DeleteRange(b"w"), DeleteRangeResult(3, 1)),
        *denied(op.Range(b"w"), op.Range(b"w", count_only=True), op.Put(b"r"), op.DeleteRange(b"r")),
        *denied(
            op.Put(b"w", prev_kv=True),
            op.DeleteRange(b"w", prev_kv=True),
            op.DeleteRange(b"w", b"x"),
            op.Put(b"r", prev_kv=True),
        ),
    ),
    says(
        "a previous value is reported to who may read it",
        *realm(may(READWRITE, b"a")),
        as_user(op.Put(b"a", b"1", prev_kv=True), PutResult(2)),
        as_user(op.Put(b"a", b"2", prev_kv=True), PutResult(3, kv(b"a", b"1", 2, 2, 1))),
        as_user(op.DeleteRange(b"a", prev_kv=True), DeleteRangeResult(4, 1, (kv(b"a", b"2", 2, 3, 2),))),
    ),
    says(
        "a key can be given to a lease by who may write all keys of that lease",
        *realm(may(WRITE, b"a", b"c")),
        as_root(op.LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        as_user(op.Put(b"a", b"1", lease=7), PutResult(2)),
        as_root(op.Put(b"x", b"1", lease=7), PutResult(3)),
        *denied(op.Put(b"a", b"2", lease=7), op.Put(b"b", b"2", lease=7)),
        as_user(op.Put(b"a", b"2"), PutResult(4)),
        as_root(op.Put(b"x", b"2"), PutResult(5)),
        as_user(op.Put(b"a", b"3", lease=7), PutResult(6)),
    ),
    says(
        "without a token, or with one that nobody has, nothing can be read or written",
        *realm(),
        *(
            (operation, USER_EMPTY)
            for operation in (op.Range(b"a"), op.Put(b"a"), op.DeleteRange(b"a"), op.Txn(success=(op.Put(b"a"),)))
        ),
        *(
            (op.As(BAD, operation), INVALID_AUTH_TOKEN)
            for operation in (
                op.Range(b"a"),
                op.Put(b"a"),
                op.DeleteRange(b"a"),
                op.Txn(success=(op.Put(b"a"),)),
                op.Txn(),
            )
        ),
    ),
    says(
        "what is wrong with a request is reported before who sends it is looked at",
        *realm(),
        *((operation, EMPTY_KEY) for operation in (op.Range(b""), op.Put(b""), op.DeleteRange(b""))),
        *((op.As(BAD, operation), EMPTY_KEY) for operation in (op.Range(b""), op.Put(b""), op.DeleteRange(b""))),
        (op.As(BAD, op.Txn(success=(op.Put(b"a"), op.Put(b"a")))), DUPLICATE_KEY),
    ),
    says(
        "what may not be done is reported before what can't be",
        *realm(may(READWRITE, b"a")),
        as_root(op.Put(b"a", b"1"), PutResult(2)),
        as_root(op.Put(b"a", b"2"), PutResult(3)),
        *denied(
            op.Range(b"b", revision=2**62),
            op.Range(b"b", revision=1),
            op.Put(b"b", lease=404),
            op.Put(b"b", ignore_value=True),
        ),
        as_user(op.Range(b"a", revision=2**62), FUTURE_REVISION),
        as_user(op.Put(b"a", lease=404), LEASE_NOT_FOUND),
        as_user(op.DeleteRange(b"a"), DeleteRangeResult(4, 1)),
        as_user(op.Put(b"a", ignore_value=True), KEY_NOT_FOUND),
    ),
)

_TXNS = (
    says(
        "a txn needs the right to all that it compares and that stands in either branch, taken or not",
        *realm(may(READ, b"r"), may(WRITE, b"w"), may(READWRITE, b"a")),
        as_user(
            op.Txn((version(b"r", 0),), (op.Put(b"w", b"1"), op.Range(b"r"))),
            TxnResult(2, True, (PutResult(2), RangeResult(2))),
        ),
        *denied(
            op.Txn((version(b"w", 0),)),
            op.Txn((version(b"r", 0, b"z"),)),
            op.Txn(success=(op.Put(b"a"), op.Put(b"r"))),
            op.Txn((version(b"a", 9),), (op.Range(b"w"),)),
            op.Txn(failure=(op.DeleteRange(b"b"),)),
        ),
        as_user(op.Txn(success=(op.DeleteRange(b"w"),)), TxnResult(3, True, (DeleteRangeResult(3, 1),))),
    ),
    says(
        "a txn in which nothing stands is for everybody",
        *realm(),
        (op.Txn(), TxnResult(1, True)),
        as_user(op.Txn(), TxnResult(1, True)),
        (op.As(BAD, op.Txn()), INVALID_AUTH_TOKEN),
    ),
    says(
        "nobody looked at what a nested txn does, until somebody did",
        *realm(may(READ, b"a")),
        as_user(
            op.Txn(success=(op.Txn(success=(op.Put(b"x", b"1"),)),)),
            Since("nested_txns_guarded", TxnResult(2, True, (TxnResult(0, True, (PutResult(2),)),)), PERMISSION_DENIED),
        ),
        (
            op.Txn(success=(op.Txn(success=(op.Range(b"x", count_only=True),)),)),
            Since(
                "nested_txns_guarded", TxnResult(2, True, (TxnResult(0, True, (RangeResult(2, count=1),)),)), USER_EMPTY
            ),
        ),
        as_user(
            op.Txn(success=(op.Txn((version(b"x", 1),)),)),
            Since("nested_txns_guarded", TxnResult(2, True, (TxnResult(0, True),)), PERMISSION_DENIED),
        ),
    ),
    says(
        "a put in a txn got around what its lease and its previous value need, until it did not",
        *realm(may(WRITE, b"a")),
        as_root(op.LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        as_root(op.Put(b"x", b"1", lease=7), PutResult(2)),
        as_root(op.Put(b"a", b"1"), PutResult(3)),
        *denied(op.Put(b"a", b"2", lease=7), op.Put(b"a", b"2", prev_kv=True)),
        as_user(
            op.Txn(success=(op.Put(b"a", b"2", lease=7),)),
            Since("txn_puts_guarded", TxnResult(4, True, (PutResult(4),)), PERMISSION_DENIED),
        ),
        as_user(
            op.Txn(success=(op.Put(b"a", b"3", prev_kv=True),)),
            Since(
                "txn_puts_guarded",
                TxnResult(5, True, (PutResult(5, kv(b"a", b"2", 3, 4, 2, 7)),)),
                PERMISSION_DENIED,
            ),
        ),
    ),
)

PERMISSIONS = (*_COVER, *_REQUESTS, *_TXNS)
