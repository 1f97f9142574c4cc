"""The methods of the control service, on a fake."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message
from grpc import StatusCode

from fake_etcd.control import messages as pb
from fake_etcd.control.fault_messages import to_fault, to_message
from fake_etcd.errors import EtcdError
from fake_etcd.journal import JournalEntry
from fake_etcd.state import SavedState

if TYPE_CHECKING:
    from fake_etcd.fake import FakeEtcd


class Control:
    """What is answered to each method's request. Raises EtcdError."""

    def __init__(self, fake: FakeEtcd) -> None:
        self._fake = fake
        self._states: dict[int, SavedState] = {}
        self._numbers = count(1)

    def methods(self) -> Mapping[str, tuple[type[Message], Callable[[Any], Message]]]:
        """By name: the class of the request, and what answers it."""
        return {
            "Advance": (pb.AdvanceRequest, self.advance),
            "ExpireLease": (pb.ExpireLeaseRequest, self.expire_lease),
            "Reset": (pb.ResetRequest, self.reset),
            "SaveState": (pb.SaveStateRequest, self.save_state),
            "RestoreState": (pb.RestoreStateRequest, self.restore_state),
            "ForgetState": (pb.ForgetStateRequest, self.forget_state),
            "Branch": (pb.BranchRequest, self.branch),
            "AddFault": (pb.AddFaultRequest, self.add_fault),
            "ListFaults": (pb.ListFaultsRequest, self.list_faults),
            "RemoveFault": (pb.RemoveFaultRequest, self.remove_fault),
            "ClearFaults": (pb.ClearFaultsRequest, self.clear_faults),
            "ReadJournal": (pb.ReadJournalRequest, self.read_journal),
        }

    def advance(self, request: pb.AdvanceRequest) -> pb.AdvanceResponse:
        if not (math.isfinite(request.seconds) and request.seconds >= 0):
            raise EtcdError(StatusCode.INVALID_ARGUMENT, f"time doesn't go back, nor on for ever: {request.seconds}")
        try:
            self._fake.advance(request.seconds)
        except TypeError as error:
            raise EtcdError(StatusCode.FAILED_PRECONDITION, str(error)) from error
        return pb.AdvanceResponse(now=self._fake.clock())

    def expire_lease(self, request: pb.ExpireLeaseRequest) -> pb.ExpireLeaseResponse:
        if not self._fake.engine.expire(request.ID):
            raise EtcdError(StatusCode.NOT_FOUND, f"there is no lease {request.ID}")
        return pb.ExpireLeaseResponse()

    def reset(self, _request: pb.ResetRequest) -> pb.ResetResponse:
        self._fake.reset()
        return pb.ResetResponse()

    def save_state(self, _request: pb.SaveStateRequest) -> pb.SaveStateResponse:
        number = next(self._numbers)
        self._states[number] = self._fake.save_state()
        return pb.SaveStateResponse(state=number)

    def restore_state(self, request: pb.RestoreStateRequest) -> pb.RestoreStateResponse:
        self._fake.restore_state(self._state(request.state))
        return pb.RestoreStateResponse()

    def forget_state(self, request: pb.ForgetStateRequest) -> pb.ForgetStateResponse:
        self._state(request.state)
        del self._states[request.state]
        return pb.ForgetStateResponse()

    def _state(self, number: int) -> SavedState:
        if number not in self._states:
            raise EtcdError(StatusCode.NOT_FOUND, f"no state has the number {number}")
        return self._states[number]

    def branch(self, _request: pb.BranchRequest) -> pb.BranchResponse:
        return pb.BranchResponse(address=self._fake.branch().serve(control=True).address)

    def add_fault(self, request: pb.AddFaultRequest) -> pb.AddFaultResponse:
        try:
            fault = to_fault(request.fault)
        except ValueError as error:
            raise EtcdError(StatusCode.INVALID_ARGUMENT, str(error)) from error
        return pb.AddFaultResponse(number=self._fake.faults.add(fault))

    def list_faults(self, _request: pb.ListFaultsRequest) -> pb.ListFaultsResponse:
        return pb.ListFaultsResponse(
            faults=[
                pb.ActiveFault(
                    number=active.number,
                    fault=to_message(active.fault),
                    matched=active.matched,
                    struck=active.struck,
                )
                for active in self._fake.faults
            ]
        )

    def remove_fault(self, request: pb.RemoveFaultRequest) -> pb.RemoveFaultResponse:
        try:
            self._fake.faults.remove(request.number)
        except KeyError as error:
            raise EtcdError(StatusCode.NOT_FOUND, str(error.args[0])) from error
        return pb.RemoveFaultResponse()

    def clear_faults(self, _request: pb.ClearFaultsRequest) -> pb.ClearFaultsResponse:
        self._fake.faults.clear()
        return pb.ClearFaultsResponse()

    def read_journal(self, request: pb.ReadJournalRequest) -> pb.ReadJournalResponse:
        if self._fake.journal is None:
            raise EtcdError(
                StatusCode.FAILED_PRECONDITION, "no journal is kept: start with --journal N, or FakeEtcd(journal=N)"
            )
        return pb.ReadJournalResponse(
            entries=[_entry(entry) for entry in self._fake.journal if entry.number > request.after]
        )


def _entry(entry: JournalEntry) -> pb.JournalEntry:
    error = entry.error
    return pb.JournalEntry(
        number=entry.number,
        seconds=entry.seconds,
        path=entry.path,
        request=entry.request_bytes,
        answer=entry.answer_bytes,
        error_code="" if error is None else error.code.name,
        error_message="" if error is None else error.message,
        stream=entry.stream,
        fault=None if entry.fault is None else to_message(entry.fault),
        silent=entry.silent,
        text=str(entry),
    )
