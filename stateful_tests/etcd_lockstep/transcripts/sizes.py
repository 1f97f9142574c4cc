"""Requests that are too long. Nothing here is near a limit, whose edge moves by some bytes."""

from __future__ import annotations

from etcd_lockstep.transcripts.auth_fixtures import BAD, as_user, may, realm
from etcd_lockstep.transcripts.transcript import says
from etcd_model.errors import (
    DUPLICATE_KEY,
    EMPTY_KEY,
    INVALID_AUTH_TOKEN,
    PERMISSION_DENIED,
    TOO_LARGE,
    USER_EMPTY,
    Code,
    Error,
)
from etcd_model.operations import As, DeleteRange, Lock, PermissionType, Put, Range, Txn
from etcd_model.results import DeleteRangeResult, PutResult, RangeResult, TxnResult

ALMOST = b"x" * 1_500_000
LONG = b"x" * 1_600_000
"""Too long for a write, whose raft entry may have 1.5 MiB."""
LONGER = b"x" * 2_100_000
"""Too long for a message, which may have 512 KiB more."""


def message(length: int) -> Error:
    return Error(Code.RESOURCE_EXHAUSTED, f"grpc: received message larger than max ({length} vs. 2097152)")


SIZES = (
    says(
        "a write of more than 1.5 MiB is too large, wherever in it the bytes are, and one of less is not",
        (Put(b"a", LONG), TOO_LARGE),
        (Put(LONG), TOO_LARGE),
        (DeleteRange(LONG), TOO_LARGE),
        (Txn(success=(Put(b"a", LONG[:800_000]), Put(b"b", LONG[:800_000]))), TOO_LARGE),
        (Txn(failure=(Range(LONG), DeleteRange(b"b"))), TOO_LARGE),
        (Txn(success=(Txn(success=(Range(LONG),)),)), TOO_LARGE),
        (Lock(LONG[:400_000]), Error(Code.UNKNOWN, TOO_LARGE.message)),
        (Put(b"a", ALMOST), PutResult(2)),
        (DeleteRange(b"a"), DeleteRangeResult(3, 1)),
    ),
    says(
        "a read of more is none, nor is a txn that only reads",
        (Range(LONG), RangeResult(1)),
        (Txn(success=(Range(LONG),)), TxnResult(1, True, (RangeResult(1),))),
    ),
    says(
        "what is wrong with a request is reported before its size, and that before what the store says",
        (Put(b"", LONG), EMPTY_KEY),
        (Txn(success=(Put(b"a", LONG), Put(b"a"))), DUPLICATE_KEY),
        (Put(b"a", LONG, lease=404), TOO_LARGE),
    ),
    says(
        "the token is looked at before the size, but not whether there is one, nor what its user may do",
        *realm(may(PermissionType.READ, b"a")),
        (As(BAD, Put(b"a", LONG)), INVALID_AUTH_TOKEN),
        (Put(b"a", LONG), TOO_LARGE),
        as_user(Put(b"a", LONG), TOO_LARGE),
        (Put(b"a"), USER_EMPTY),
        as_user(Put(b"a"), PERMISSION_DENIED),
    ),
    says(
        "a message of more than 2 MiB is not even looked at",
        (Put(b"a", LONGER), message(2_100_008)),
        (Put(b"", LONGER), message(2_100_005)),
        (Range(LONGER), message(2_100_005)),
    ),
)
