"""The names of operations and of enum numbers as reports, options and corpus files write them: etcd's requests in
snake case, and its enums' own names."""

import re
from collections.abc import Sequence
from enum import IntEnum

from etcd_lockstep.trace import bare
from etcd_model import operations as op


def snake_case(name: str) -> str:
    """`LeaseGrant` is `lease_grant`; so are etcd's own `memberID`, `peerURLs`, `TTL`."""
    for word in ("KV", "URLs", "ID", "TTL"):
        name = name.replace(word, word.capitalize())
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


OPERATION_NAMED: dict[str, type[op.Operation]] = {
    snake_case(operation.__name__): operation for operation in op.OPERATIONS
}
_NAMES: dict[type, str] = {operation: name for name, operation in OPERATION_NAMED.items()}


def operation_name(operation: type[op.Operation]) -> str:
    """`LeaseGrant` is `lease_grant`."""
    return _NAMES[operation]


def name_of(operation: op.Operation) -> str:
    """The name of an operation; where it is sent with a token, that of the operation itself."""
    return _NAMES[type(bare(operation))]


_ENUMS: dict[str, type[IntEnum]] = {
    "sort_order": op.SortOrder,
    "sort_target": op.SortTarget,
    "target": op.CompareTarget,
    "result": op.CompareResult,
    "filters": op.FilterType,
    "perm_type": op.PermissionType,
    "alarm": op.AlarmType,
}
_ACTIONS: dict[type, type[IntEnum]] = {op.Alarm: op.AlarmAction, op.Downgrade: op.DowngradeAction}


def enum_of(kind: type, field: str) -> type[IntEnum] | None:
    """The enum whose numbers stand in a field of an operation, of a part of one, or of an answer."""
    return _ACTIONS.get(kind) if field == "action" else _ENUMS.get(field)


def spelled(kind: type, field: str, value: int | Sequence[int]) -> list[str]:
    """The name of the number in such a field, or the number where it has none; one for each of several."""
    enum = enum_of(kind, field)
    numbers = [value] if isinstance(value, int) else value
    return [enum(number).name if enum and number in list(enum) else str(int(number)) for number in numbers]
