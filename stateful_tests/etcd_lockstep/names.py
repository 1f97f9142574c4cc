"""The names of operations as reports, options and corpus files write them: etcd's requests in snake case."""

import re

from etcd_model.operations import OPERATIONS, Operation

OPERATION_NAMED: dict[str, type[Operation]] = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation.__name__).lower(): operation for operation in OPERATIONS
}
_NAMES: dict[type, str] = {operation: name for name, operation in OPERATION_NAMED.items()}


def operation_name(operation: type[Operation]) -> str:
    """`LeaseGrant` is `lease_grant`."""
    return _NAMES[operation]
