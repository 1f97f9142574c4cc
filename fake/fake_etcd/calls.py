"""What the in-process channel's calls return and raise once they are over, in gRPC's own shapes."""

from collections.abc import Callable
from typing import Any, NoReturn

import grpc


def debug_error_string(code: grpc.StatusCode, details: str) -> str:
    """What gRPC 1.85 makes of a status: the same once more, and nothing of OK."""
    return "" if code is grpc.StatusCode.OK else f"{code.name}:{details}"


class FinishedCall(grpc.Call):
    """A call that is over: an in-process call of a method that answers at once is, by the time anyone sees it."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._code = code
        self._details = details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def initial_metadata(self) -> tuple[Any, ...]:
        return ()

    def trailing_metadata(self) -> tuple[Any, ...]:
        return ()

    def is_active(self) -> bool:
        return False

    def time_remaining(self) -> float | None:  # type: ignore[override]  # None, as gRPC has it where there is no timeout
        return None

    def debug_error_string(self) -> str:
        """What gRPC 1.85 says of a call besides its code and its details."""
        return debug_error_string(self._code, self._details)

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Never calls back: False says so, as gRPC does of a call that is over."""
        del callback
        return False

    def cancel(self) -> bool:
        return False


class Answered(FinishedCall, grpc.Future):  # type: ignore[type-arg]  # generic in its stubs alone
    """The future of a call that was answered."""

    def __init__(self, response: Any) -> None:
        super().__init__(grpc.StatusCode.OK, "")
        self._response = response

    def cancelled(self) -> bool:
        return False

    def running(self) -> bool:
        return False

    def done(self) -> bool:
        return True

    def result(self, timeout: float | None = None) -> Any:
        del timeout
        return self._response

    def exception(self, timeout: float | None = None) -> Exception | None:
        del timeout
        return None

    def traceback(self, timeout: float | None = None) -> Any:
        del timeout

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        fn(self)


class InProcessRpcError(Answered, grpc.RpcError):
    """A call that was refused: raised, and as a future raising."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(None)
        self._code = code
        self._details = details

    def result(self, timeout: float | None = None) -> NoReturn:
        del timeout
        raise self

    def exception(self, timeout: float | None = None) -> Exception:
        del timeout
        return self

    def traceback(self, timeout: float | None = None) -> Any:
        del timeout
        return self.__traceback__

    def __str__(self) -> str:
        return f'<InProcessRpcError: {self._code.name}, "{self._details}">'

    __repr__ = __str__
