"""Where the auth store leaves open what it answers, or when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from etcd_model.auth.permission import bare, caller, is_root
from etcd_model.errors import Error
from etcd_model.operations import DeleteRange, Operation, Range, Txn, WatchCreate

if TYPE_CHECKING:
    from etcd_model.state import State

WAITS = "etcd waits for the raft index that the token names"
INVERTED = "whether a user with several grants may read an inverted range depends on the shape of a tree"


def token_waits(state: State, token: str) -> str | None:
    """A token ends with the raft index at which it was assigned, and a server that has not come so far waits for it,
    be the token known to it or not (etcd server/auth/simple_token.go, isValidSimpleToken)."""
    if not state.auth.enabled and state.server.quirks.auth_off_ignores_tokens:
        return None
    token = bare(state, token)
    _, dot, index = token.partition(".")
    if dot and index.isascii() and index.isdigit() and int(index) > 1 and token not in state.auth.tokens:
        return WAITS
    return None


STALE = "this version may read the user as it was before its last change"


def stale_user(state: State, token: str) -> str | None:
    """Where users written since the last commit of the backend are all smaller by name than the one who asks, and that
    one is not among them, the search in the buffer of these ends behind the last of them, and takes what an earlier
    use of the buffer has left there (etcd server/mvcc/backend/tx_buffer.go, Range, which looks for the end since 3.6;
    server/auth/store.go, isOpPermitted, which reads users through it since 3.5.3). That says where the user did not
    always have the role root, or always lack it. Measured on 3.5.16 and 3.5.30."""
    quirks = state.server.quirks
    if not state.auth.enabled or quirks.read_buffer_has_end or not quirks.users_read_from_buffer:
        return None
    name = caller(state, token)
    written = state.auth.written
    own = [(number, root) for number, (user, root) in enumerate(written) if user == name]
    if not isinstance(name, str) or len({root for _, root in own}) < 2:
        return None
    since = written[own[-1][0] + 1 :]
    return STALE if any(user.encode() < name.encode() for user, _ in since) else None


def inverted_range(state: State, operation: Operation) -> str | None:
    """The search for grants that overlap a range skips what it can't skip where the range ends before it begins
    (etcd pkg/adt/interval_tree.go, visit)."""
    if not state.auth.enabled or not state.token:
        return None
    name = caller(state, state.token)
    if name is None or isinstance(name, Error):
        return None
    user = state.auth.users[name]
    if is_root(user) or sum(len(state.auth.roles.get(role, ())) for role in user.roles) < 2:
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
