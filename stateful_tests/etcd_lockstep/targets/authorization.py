"""How a token travels: in one of two fields of a call's metadata (etcd server/auth/store.go, AuthInfoFromCtx)."""

from __future__ import annotations

from typing import TypeAlias

Metadata: TypeAlias = tuple[tuple[str, str], ...]


class Authorization(str):
    """A token that goes as `authorization`, as etcd's JSON gateway passes it on; any other goes as `token`."""

    __slots__ = ()


def token_metadata(token: str) -> Metadata:
    """The metadata of a call with this token; none without one."""
    if not token:
        return ()
    return (("authorization" if isinstance(token, Authorization) else "token", token),)
