"""`assert_never` for Python 3.10, whose standard library has none yet."""

from typing import NoReturn


def assert_never(value: NoReturn) -> NoReturn:
    """Where mypy reports a call of this, a `match` has forgotten a case."""
    raise AssertionError(f"not a case that is handled: {value!r}")
