"""The names of operations as reports, options and corpus files write them: etcd's requests in snake case."""

import re
from functools import cache

from etcd_model.operations import OPERATIONS, Operation


@cache
def operation_name(operation: type[Operation]) -> str:
    """`LeaseGrant` is `lease_grant`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation.__name__).lower()


OPERATION_NAMED: dict[str, type[Operation]] = {operation_name(operation): operation for operation in OPERATIONS}
