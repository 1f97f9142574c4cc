"""Alarms, and what they refuse (etcd: server/etcdserver/api/v3alarm/alarms.go, server/etcdserver/apply)."""

from collections.abc import Iterable
from typing import cast

from fake_etcd.errors import Corrupt, NoSpace, would_crash
from fake_etcd.quirks import Quirks
from fake_etcd.wire.messages import AlarmMember, AlarmType

NONE = AlarmType.Value("NONE")
NOSPACE = AlarmType.Value("NOSPACE")
CORRUPT = AlarmType.Value("CORRUPT")

_NAMES = {NOSPACE: "NOSPACE", CORRUPT: "CORRUPT"}


def name_of(alarm: int) -> str:
    """An alarm's type by its name; one that etcd doesn't know, by its number."""
    return _NAMES.get(alarm, str(alarm))


class Alarms:
    """Which members raised which alarms. Any member's alarm counts, also one that doesn't exist."""

    __slots__ = ("_alarms", "_no_space", "_quirks", "corrupt", "raised")

    def __init__(self, quirks: Quirks) -> None:
        self._quirks = quirks
        self._alarms: set[tuple[int, int]] = set()
        """The type and the member of each."""
        self.raised = False
        """Whether any refuses something."""
        self._no_space = False
        self.corrupt = False
        """Whether CORRUPT does, which refuses the revoking of leases whose time is over, too."""

    @property
    def checks_permissions(self) -> bool:
        """Whether what goes through raft is checked for permission."""
        return not self.raised or self._quirks.alarms_in_layers

    def get(self, alarm: int) -> list[AlarmMember]:
        """The alarms of a type, or all of them (NONE)."""
        return [_message(type, member) for type, member in sorted(self._alarms) if alarm in (NONE, type)]

    def activate(self, member: int, alarm: int) -> list[AlarmMember]:
        """Raise an alarm, again or for the first time."""
        if alarm == NONE and self._quirks.alarm_none_ignored:
            return []
        if not alarm and not member:
            raise would_crash(self._quirks.version, "an alarm of no type, raised by no member")
        is_first = not self.get(alarm)
        if is_first and alarm not in (NONE, NOSPACE, CORRUPT) and self._crashes:
            raise would_crash(self._quirks.version, "an alarm of an unknown type")
        self._alarms.add((alarm, member))
        if self._quirks.alarms_in_layers:
            self._settle()
        elif is_first and alarm in (NOSPACE, CORRUPT):
            self._apply({alarm})
        return [_message(alarm, member)]

    @property
    def _crashes(self) -> bool:
        """etcd 3.5: server/etcdserver/apply.go Alarm."""
        return self._quirks.alarm_none_ignored and not self._quirks.alarms_in_layers

    def deactivate(self, member: int, alarm: int) -> list[AlarmMember]:
        """End an alarm, if it is raised."""
        if (alarm, member) not in self._alarms:
            return []
        self._alarms.remove((alarm, member))
        if self._quirks.alarms_in_layers:
            self._settle()
        elif alarm in (NOSPACE, CORRUPT) and not self.get(alarm):
            self._apply(set())
        return [_message(alarm, member)]

    def load(self, raised: Iterable[AlarmMember]) -> None:
        """Take over the alarms of a database."""
        self._alarms = {(alarm.alarm, alarm.memberID) for alarm in raised}
        self._settle()

    def texts(self) -> list[str]:
        """The alarms as Status reports them. A 3.7 may put two spaces in them, as its build will have it."""
        texts = (
            (f"memberID:{member} " if member else "") + (f"alarm:{name_of(alarm)} " if alarm else "")
            for alarm, member in sorted(self._alarms)
        )
        return [text.rstrip() if self._quirks.alarm_text_trimmed else text for text in texts]

    def check(self, costs: bool) -> None:
        """Refuse what goes through raft while an alarm is raised: everything, or only what costs space.

        etcd: applierV3Corrupt, applierV3Capped, before permissions are checked.
        """
        if self.corrupt:
            raise Corrupt()
        if self._no_space and costs:
            raise NoSpace()

    def _settle(self) -> None:
        self._apply({alarm for alarm, _ in self._alarms})

    def _apply(self, alarms: set[int]) -> None:
        self._no_space = NOSPACE in alarms
        self.corrupt = CORRUPT in alarms
        self.raised = self._no_space or self.corrupt


def _message(alarm: int, member: int) -> AlarmMember:
    message = AlarmMember(memberID=member)
    message.alarm = cast(AlarmType, alarm)
    return message
