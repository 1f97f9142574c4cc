"""What a sequence may leave in a server beside keys and leases: that it has, and how it is undone.

A sequence that leaves nothing of the kind costs a reset nothing.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from etcd_lockstep.target import TargetDied
from etcd_model import operations as op
from etcd_model.errors import NO_SPACE, Error
from etcd_model.results import (
    AlarmResult,
    AuthenticateResult,
    MemberAddResult,
    MemberListResult,
    Result,
    RoleListResult,
    UserListResult,
)

NOTED: tuple[type[op.Operation], ...] = (
    op.UserAdd,
    op.UserChangePassword,
    op.RoleAdd,
    op.AuthEnable,
    op.Authenticate,
    op.Alarm,
    op.MemberAdd,
    op.Downgrade,
)
"""The operations that are worth a note: the first of their kind to leave something behind."""


_NOT_UNDONE = "what the sequence left can't be undone"


class Applies(Protocol):
    """What carries out the undoing."""

    def apply(self, operation: op.Operation) -> Result: ...


class Footprint:
    """What has been noted since the last reset."""

    def __init__(self) -> None:
        self.auth = False
        self._alarms = False
        self._members: set[int] = set()
        self._unknown_members: list[tuple[str, ...]] = []
        """The peer URLs of those of which nobody knows whether they were added."""
        self._downgrade = False
        self._logins: dict[tuple[str, str], None] = {}
        """Names with passwords that they have had, the newest last."""
        self._tokens: list[str] = []

    def note(self, operation: op.Operation, result: Result | None) -> None:
        """One of `NOTED` was applied. Without a result nobody knows whether it was."""
        if isinstance(result, Error):
            return
        match operation:
            case op.Alarm(action=action):
                self._alarms |= action != op.AlarmAction.GET
            case op.Downgrade(action=action):
                self._downgrade |= action == op.DowngradeAction.ENABLE
            case op.MemberAdd(peer_urls=urls):
                if isinstance(result, MemberAddResult) and result.member is not None:
                    self._members.add(result.member.id)
                else:
                    self._unknown_members.append(urls)
            case _:
                self.auth = True
        if isinstance(operation, op.UserAdd | op.UserChangePassword):
            login = (operation.name, operation.password)
            self._logins.pop(login, None)
            self._logins[login] = None
        if isinstance(result, AuthenticateResult):
            self._tokens.append(result.token)

    def note_refusal(self, refusal: Error) -> None:
        """A server that has no space left raises its alarm before it says so (etcd
        server/etcdserver/api/v3rpc/quota.go, check); one that only has the alarm says the same."""
        self._alarms |= refusal.message == NO_SPACE.message

    def undo(self, client: Applies) -> None:
        """Raises `TargetDied` where something can't be undone."""
        if self.auth:
            self._disable_auth(client)
            for user in expect(client.apply(op.UserList()), UserListResult, _NOT_UNDONE).users:
                client.apply(op.UserDelete(user))
            for role in expect(client.apply(op.RoleList()), RoleListResult, _NOT_UNDONE).roles:
                client.apply(op.RoleDelete(role))
        if self._alarms:
            for raised in expect(client.apply(op.Alarm()), AlarmResult, _NOT_UNDONE).alarms:
                client.apply(op.Alarm(op.AlarmAction.DEACTIVATE, raised.member_id, raised.alarm))
        if self._unknown_members:
            for member in expect(client.apply(op.MemberList()), MemberListResult, _NOT_UNDONE).members:
                if any(set(member.peer_urls) & set(urls) for urls in self._unknown_members):
                    self._members.add(member.id)
        for member_id in self._members:
            client.apply(op.MemberRemove(member_id))
        if self._downgrade:
            client.apply(op.Downgrade(op.DowngradeAction.CANCEL))

    def _disable_auth(self, client: Applies) -> None:
        """Where it is on, whoever may turn it off is looked for among those that the sequence has made."""
        refusal = client.apply(op.AuthDisable())
        if not isinstance(refusal, Error):
            return
        for token in reversed(self._tokens):
            if not isinstance(client.apply(op.As(token, op.AuthDisable())), Error):
                return
        newest_first = reversed(tuple(self._logins))
        for name, password in newest_first:
            answer = client.apply(op.Authenticate(name, password))
            if isinstance(answer, AuthenticateResult) and not isinstance(
                client.apply(op.As(answer.token, op.AuthDisable())), Error
            ):
                return
        raise TargetDied(f"auth can't be turned off: {refusal.message}")


R = TypeVar("R")


def expect(result: Result, kind: type[R], otherwise: str) -> R:
    """The result, if it is of that kind. Raises `TargetDied`, for a reason that begins so, where it is not."""
    if not isinstance(result, kind):
        raise TargetDied(f"{otherwise}: {result}")
    return result
