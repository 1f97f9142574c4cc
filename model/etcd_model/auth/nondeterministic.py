"""Where the auth store leaves open what it answers, or when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from etcd_model.auth.permission import Caller, bare, caller, is_root
from etcd_model.auth.sender import Sender
from etcd_model.operations import DeleteRange, Operation, Range, Txn, WatchCreate

if TYPE_CHECKING:
    from etcd_model.auth.store import User
    from etcd_model.state import State

WAITS = "etcd waits for the raft index that the token names"
INVERTED = "whether a user with several grants may read an inverted range depends on the shape of a tree"


def token_waits(state: State, token: str) -> str | None:
    """A token ends with the raft index at which it was assigned, and a server that has not come so far waits for it,
    be the token known to it or not (etcd server/auth/simple_token.go, isValidSimpleToken)."""
    if state.server.signed_tokens or (not state.auth.enabled and state.server.quirks.auth_off_ignores_tokens):
        return None
    token = bare(state, token)
    _, dot, index = token.partition(".")
    if dot and index.isascii() and index.isdigit() and int(index) > 1 and token not in state.auth.tokens:
        return WAITS
    return None


STALE = "this version may read the user as it was before its last change"


def stale_user(state: State, sender: Sender) -> str | None:
    """Why the user who asks may be taken for one with, or without, the role root that they were before.

    etcd server/auth/store.go, isOpPermitted and IsAdminPermitted. Measured on 3.5.16 and 3.5.30.
    """
    if not state.auth.enabled:
        return None
    asks = caller(state, sender)
    return _may_be_stale(state, asks.name, is_root) if isinstance(asks, Caller) and asks.name is not None else None


def stale_password(state: State, name: str) -> str | None:
    """Why a user's password may be taken for the one before. etcd server/auth/store.go, CheckPassword. Measured on
    3.5.16 and 3.5.30."""
    if not state.auth.enabled:
        return None
    return _may_be_stale(state, name, lambda user: (user.password, user.no_password))


def _may_be_stale(state: State, name: str, aspect: Callable[[User], object]) -> str | None:
    """Where users written since the last commit of the backend are all smaller by name than one that is looked for, and
    that one is not among them, the search in the buffer of these ends behind the last of them, and takes what an
    earlier use of the buffer has left there (etcd server/mvcc/backend/tx_buffer.go, Range, which looks for the end
    since 3.6; users are read through it since 3.5.3). None is written either right after one is deleted, for with that
    the backend commits: then it takes what stood first. Nobody sees it where all that the user was is alike in the
    aspect that is asked for."""
    quirks = state.server.quirks
    if quirks.read_buffer_has_end or not quirks.users_read_from_buffer:
        return None
    written = state.auth.written
    own = [number for number, (user, _) in enumerate(written) if user == name]
    if len({user and (aspect(user),) for _, user in (written[number] for number in own)}) < 2:
        return None
    *_, before, last = own
    if written[last][1] is None and last == len(written) - 1:
        return None if _has_smaller(written[before + 1 : last], name) else STALE
    return STALE if _has_smaller(written[last + 1 :], name) else None


def _has_smaller(written: Sequence[tuple[str, User | None]], name: str) -> bool:
    """Whether a user with a smaller name was written to the buffer. A deletion is no write to it."""
    return any(user is not None and other.encode() < name.encode() for other, user in written)


def inverted_range(state: State, operation: Operation) -> str | None:
    """The search for grants that overlap a range skips what it can't skip where the range ends before it begins
    (etcd pkg/adt/interval_tree.go, visit)."""
    asks = caller(state, state.sender) if state.auth.enabled else None
    user = state.auth.users.get(asks.name) if isinstance(asks, Caller) else None
    if user is None or is_root(user) or sum(len(state.auth.roles.get(role, ())) for role in user.roles) < 2:
        return None
    inverted = any(len(end) > 0 and end != b"\x00" and end <= key for key, end in _ranges(operation))
    return INVERTED if inverted else None


def _ranges(operation: object) -> Iterator[tuple[bytes, bytes]]:
    match operation:
        case Range() | DeleteRange() | WatchCreate():
            yield operation.key, operation.range_end
        case Txn():
            for compare in operation.compare:
                yield compare.key, compare.range_end
            for request in (*operation.success, *operation.failure):
                yield from _ranges(request)
