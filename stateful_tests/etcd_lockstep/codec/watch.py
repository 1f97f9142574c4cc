"""The Watch service, whose requests and responses go over a stream in no fixed order."""

from __future__ import annotations

from etcd_lockstep.codec.kv import key_value
from etcd_model import results
from etcd_model.operations import WatchCancel, WatchCreate, WatchProgress
from fake_etcd.wire import messages as wire


def encode_watch(operation: WatchCreate | WatchCancel | WatchProgress) -> wire.WatchRequest:
    """The message that goes on the operation's stream."""
    match operation:
        case WatchCreate():
            return wire.WatchRequest(
                create_request=wire.WatchCreateRequest(
                    key=operation.key,
                    range_end=operation.range_end,
                    start_revision=operation.start_revision,
                    progress_notify=operation.progress_notify,
                    filters=operation.filters,  # type: ignore[arg-type]  # any int goes over the wire
                    prev_kv=operation.prev_kv,
                    watch_id=operation.watch_id,
                    fragment=operation.fragment,
                )
            )
        case WatchCancel():
            return wire.WatchRequest(cancel_request=wire.WatchCancelRequest(watch_id=operation.watch_id))
        case WatchProgress():
            return wire.WatchRequest(progress_request=wire.WatchProgressRequest())


def decode_created(answer: wire.WatchResponse) -> results.WatchCreateResult:
    """The reply to a create request."""
    return results.WatchCreateResult(
        answer.header.revision, answer.watch_id, answer.created, answer.canceled, answer.cancel_reason
    )


def decode_event(event: wire.Event) -> results.Event:
    """One event of a response."""
    prev_kv = key_value(event.prev_kv) if event.HasField("prev_kv") else None
    return results.Event(int(event.type), key_value(event.kv), prev_kv)
