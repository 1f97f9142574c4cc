"""One number, read as a run of choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

BYTES = 48
"""How much a draw is: enough for the choices of the largest txn, nearly always."""


class ChoiceDecoder:
    """Choices read off a number, digit by digit in a mixed radix.

    Every choice takes the first option once the number is spent, so options list the simplest first, and zero
    is the simplest operation of all.
    """

    __slots__ = ("_left",)

    def __init__(self, drawn: bytes) -> None:
        self._left = int.from_bytes(drawn, "little")

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely as the others."""
        self._left, index = divmod(self._left, len(options))
        return options[index]

    def some(self, options: Sequence[T]) -> tuple[T, ...]:
        """All of the options, or a few neighbours among them, where much happens to each."""
        if self.pick((True, False)):
            return tuple(options)
        start = self.count(len(options) - 1)
        return tuple(options[start : start + self.count(2) + 1])

    def one_in(self, n: int) -> bool:
        """True once in `n` times, and never once the number is spent."""
        self._left, index = divmod(self._left, n)
        return index == n - 1

    def count(self, at_most: int) -> int:
        """A number from 0 to `at_most`."""
        self._left, count = divmod(self._left, at_most + 1)
        return count
