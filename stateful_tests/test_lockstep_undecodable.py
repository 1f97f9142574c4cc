"""Data that is no message: the fake refuses it in the words of the real etcd, which has a decoder of its own."""

from __future__ import annotations

import random
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from fake_etcd import Engine, gogo, serve
from fake_etcd.wire import messages
from fake_etcd.wire.methods import METHOD, METHODS

ASKED = (
    *("/etcdserverpb.KV/Put", "/etcdserverpb.KV/Range", "/etcdserverpb.KV/Txn", "/etcdserverpb.Lease/LeaseGrant"),
    *("/etcdserverpb.Auth/UserGrantRole", "/etcdserverpb.Auth/RoleGrantPermission", "/etcdserverpb.Cluster/MemberAdd"),
    *("/etcdserverpb.Maintenance/Alarm", "/v3lockpb.Lock/Lock", "/v3electionpb.Election/Proclaim"),
)
SAMPLES = {FieldDescriptor.TYPE_STRING: "abc", FieldDescriptor.TYPE_BYTES: b"xyz"}
DEEPEST = 2


def filled(kind: type[Message], choices: random.Random, depth: int = 0) -> Message:
    """A message with about half of its fields set."""
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        for _ in range(choices.randrange(3 if gogo.is_repeated(field) else 2)):
            held = getattr(message, field.name)
            if field.message_type is not None:
                if depth < DEEPEST:
                    inner = filled(getattr(messages, field.message_type.name), choices, depth + 1)
                    (held.add() if gogo.is_repeated(field) else held).CopyFrom(inner)
            elif gogo.is_repeated(field):
                held.append(SAMPLES.get(field.type, 1))
            else:
                setattr(message, field.name, SAMPLES.get(field.type, field.type == FieldDescriptor.TYPE_BOOL or 1))
    return message


def spoiled(data: bytes, choices: random.Random) -> bytes:
    """Data that is cut off, changed in one byte, or has others within or behind."""
    at = choices.randrange(len(data) + 1)
    noise = bytes(choices.randrange(256) for _ in range(choices.randrange(1, 10)))
    return choices.choice(
        (
            data[:at],
            data[:at] + noise[:1] + data[at + 1 :],
            data[:at] + choices.choice((b"\x80", b"\xff")) * choices.randrange(1, 12) + data[at:],
            data + bytes([choices.randrange(128)]) + noise,
        )
    )


@pytest.fixture(scope="module")
def channels(etcd_address: str, etcd_version: str) -> Iterator[list[grpc.Channel]]:
    with serve(Engine(etcd_version)) as fake:
        opened = [grpc.insecure_channel(address) for address in (etcd_address, fake.address)]
        yield opened
        for channel in opened:
            channel.close()


def said(channel: grpc.Channel, path: str, data: bytes) -> tuple[grpc.StatusCode, str | None] | None:
    try:
        channel.unary_unary(path, None, None)(data, timeout=10)
    except grpc.RpcError as error:
        return error.code(), error.details()
    return None


def is_refused(path: str, data: bytes) -> bool:
    try:
        gogo.check(METHOD[path].request.DESCRIPTOR, data)
    except gogo.Refused:
        return True
    return False


def is_skipped_within(path: str, data: bytes) -> bool:
    """Whether all that is refused is a field of another wire type in a message within, which the fake skips."""
    try:
        message = METHOD[path].request.FromString(data)
    except DecodeError:
        return False
    return not len(UnknownFieldSet(message))


def test_what_is_refused_is_refused_in_etcd_s_words(channels: list[grpc.Channel], etcd_version: str) -> None:
    if etcd_version.startswith("3.7"):
        pytest.skip("etcd 3.7 decodes with protobuf's own package, whose words are of another kind")
    choices, differing, refused = random.Random(7), [], set()
    for _ in range(1000):
        path = choices.choice(ASKED)
        data = spoiled(filled(METHOD[path].request, choices).SerializeToString(), choices)
        if not is_refused(path, data) or is_skipped_within(path, data):
            continue  # what is taken may do anything, and may kill the server
        real, fake = (said(channel, path, data) for channel in channels)
        refused.add(real)
        if real != fake:
            differing.append((path, data, real, fake))
    assert not differing
    assert len(refused) > 20


def test_every_message_is_taken() -> None:
    choices = random.Random(1)
    for method in METHODS:
        for _ in range(50):
            message = filled(method.request, choices)
            gogo.check(method.request.DESCRIPTOR, message.SerializeToString())
