"""A trace as code that shows it anywhere: a pytest test, and programs and commands for any etcd server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import IntEnum
from itertools import count
from typing import Any, ClassVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from etcd_lockstep.codec import encode
from etcd_lockstep.names import enum_of, name_of
from etcd_lockstep.reporting.etcdctl import etcdctl_snippet
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.trace import LeaseOf, MemberOf, RevisionAt, Symbol, TokenOf, Trace, bare, substitute, symbols
from etcd_model import operations as op
from fake_etcd.wire.methods import METHOD

Snippet = Callable[[Finding], "str | None"]


def pytest_snippet(finding: Finding) -> str:
    """A test of the trace, on the model, the fake and a target."""
    steps = "".join(f"            {python_source(operation)},\n" for operation in finding.trace)
    used = sorted({type(symbol).__name__ for operation in finding.trace for symbol in symbols(operation)})
    imports = f"from etcd_lockstep.trace import {', '.join(used)}\n" if used else ""
    test = re.sub(r"\W+", "_", f"{finding.signature}".lower()).strip("_")
    return (
        "from etcd_lockstep import assert_trace_matches\n"
        f"{imports}from etcd_model import operations as op\n\n"
        "from my_targets import MyTarget  # a subclass of etcd_lockstep.Target\n\n\n"
        f"def test_{test[:60].rstrip('_')}() -> None:\n"
        f"    assert_trace_matches(\n        (\n{steps}        ),\n        MyTarget,\n    )\n"
    )


def python_source(value: object) -> str:
    """An operation, or a part of one, as the Python that makes it: `op.Put(b"a", lease=LeaseOf(1))`."""
    if isinstance(value, Symbol) or not is_dataclass(value):
        if isinstance(value, tuple):
            return f"({', '.join(map(python_source, value))}{',' if len(value) == 1 else ''})"
        return repr(value)
    positional, by_name = [], []
    for field in fields(value):
        held = getattr(value, field.name)
        enum = enum_of(type(value), field.name)
        text = _enum_source(enum, held) if enum else python_source(held)
        if field.default is MISSING:
            positional.append(text)
        elif held != field.default:
            by_name.append(f"{field.name}={text}")
    return f"op.{type(value).__name__}({', '.join(positional + by_name)})"


def _enum_source(enum: type[IntEnum], held: Any) -> str:
    if isinstance(held, tuple):
        return f"({', '.join(_enum_source(enum, one) for one in held)}{',' if len(held) == 1 else ''})"
    return f"op.{enum.__name__}.{enum(held).name}" if held in list(enum) else repr(int(held))


# Programs: every step is a request of the wire, with expressions where the trace has symbols

_PLACEHOLDER = 5_000_000_000_000_000_000
"""Numbers from here on stand in a request where an expression goes."""


class _Request:
    """One step as the request that is sent."""

    def __init__(self, operation: op.Operation, expression: Callable[[Symbol], str]) -> None:
        self.expressions: dict[int, str] = {}
        """By placeholder."""
        self.token = ""
        """The expression for the token that it is sent with."""
        self.field = "token"
        """Of the metadata, in which the token goes."""
        numbers = count(_PLACEHOLDER)
        if isinstance(operation, op.As):
            self.token = (
                expression(operation.token) if isinstance(operation.token, Symbol) else _quoted(operation.token)
            )
            if operation.scheme:
                self.token = f"{_quoted(operation.scheme)} + {self.token}"
            if operation.authorization:
                self.field = "authorization"

        def fill_in(symbol: Symbol) -> int | str:
            if isinstance(symbol, TokenOf):
                return ""
            number = next(numbers)
            self.expressions[number] = expression(symbol)
            return number

        path, self.message = encode(substitute(bare(operation), fill_in))
        self.method = METHOD[path]

    @property
    def service(self) -> str:
        """As `kv`."""
        return self.method.service.rpartition(".")[2].lower()


class _Program:
    """A trace as the steps of a program in some language."""

    unknown: ClassVar[frozenset[type]] = frozenset({op.Advance, op.Snapshot, op.Observe, op.Lock, op.Campaign})
    """Operations that are more than a request and its response."""
    lease: ClassVar[str]
    token: ClassVar[str]
    revision: ClassVar[str]
    member: ClassVar[str]
    """Expressions for what a step was answered, with a place for its number."""

    def __init__(self, trace: Trace) -> None:
        self.requests = [_Request(operation, self.expression) for operation in trace]
        self.revisions = {
            symbol.step for operation in trace for symbol in symbols(operation) if isinstance(symbol, RevisionAt)
        }
        """The steps after which the store's revision is read, since a later one refers to it."""

    @classmethod
    def can_show(cls, trace: Trace) -> bool:
        return not any(
            type(bare(operation)) in cls.unknown or name_of(operation).startswith("watch") or _needs_identity(operation)
            for operation in trace
        )

    def expression(self, symbol: Symbol) -> str:
        """What stands for a symbol."""
        match symbol:
            case LeaseOf(step=step):
                return self.lease.format(step)
            case TokenOf(step=step):
                return self.token.format(step)
            case MemberOf(step=step):
                return self.member.format(step)
            case RevisionAt(step=step, plus=plus):
                return self.revision.format(step) + (f" {_signed(plus)}" if plus else "")
        raise AssertionError(symbol)

    def value(self, field: FieldDescriptor, value: Any, request: _Request) -> str:
        raise NotImplementedError


def _needs_identity(operation: op.Operation) -> bool:
    """Whether it is sent with what only the run has: certificates and tokens that its server trusts."""
    return isinstance(operation, op.As) and (bool(operation.certificate) or operation.claims is not None)


def _signed(number: int) -> str:
    return f"{'-' if number < 0 else '+'} {abs(number)}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


class _Python(_Program):
    lease, token, revision, member = "step_{}.ID", "step_{}.token", "revision_{}", "step_{}.member.ID"

    def source(self) -> str:
        lines = [
            "import grpc",
            "",
            "from fake_etcd.stubs import stubs",
            "from fake_etcd.wire import messages",
            "",
            'etcd = stubs(grpc.insecure_channel("127.0.0.1:2379"))  # an empty server, which this writes to',
            "",
            "",
            'def ask(call, request, token=None, field="token"):',
            "    metadata = [(field, token)] if token else None",
            "    try:",
            "        answer = call(request, timeout=5, metadata=metadata)",
            "    except grpc.RpcError as error:",
            "        answer = error",
            "    print(answer)",
            "    return answer",
            "",
            "",
        ]
        if 0 in self.revisions:
            lines.append(_PYTHON_REVISION.format(step=0))
        for step, request in enumerate(self.requests, 1):
            call = f"etcd.{request.service}.{request.method.name}"
            if request.method.client_streaming:
                call = f"lambda request, **options: next({call}(iter([request]), **options))"
            elif request.method.server_streaming:
                call = f"lambda request, **options: list({call}(request, **options))"
            token = f", {request.token}" if request.token else ""
            token += f', "{request.field}"' if request.field != "token" else ""
            lines.append(f"step_{step} = ask({call}, {self.message(request.message, request)}{token})")
            if step in self.revisions:
                lines.append(_PYTHON_REVISION.format(step=step))
        return "\n".join(lines) + "\n"

    def message(self, message: Message, request: _Request) -> str:
        held = (f"{field.name}={self.value(field, value, request)}" for field, value in message.ListFields())
        return f"messages.{message.DESCRIPTOR.full_name.rpartition('.')[2]}({', '.join(held)})"

    def value(self, field: FieldDescriptor, value: Any, request: _Request) -> str:
        if _is_repeated(field):
            return f"[{', '.join(self._one(one, request) for one in value)}]"
        return self._one(value, request)

    def _one(self, value: Any, request: _Request) -> str:
        if isinstance(value, Message):
            return self.message(value, request)
        if isinstance(value, int) and value in request.expressions:
            return request.expressions[value]
        return repr(value)


_PYTHON_REVISION = 'revision_{step} = etcd.kv.Range(messages.RangeRequest(key=b"\\0")).header.revision'


def python_snippet(finding: Finding) -> str | None:
    """A program for any server, on this package's stubs; None where a step is more than a request and its response."""
    return _Python(finding.trace).source() if _Python.can_show(finding.trace) else None


class _Go(_Program):
    unknown = _Program.unknown | {op.Unlock, op.Proclaim, op.Leader, op.Resign}
    """The lock and election services are in another module of etcd's than its client."""
    lease, token, revision = "step{}.GetID()", "step{}.GetToken()", "revision{}"
    member = "step{}.GetMember().GetID()"

    def source(self) -> str:
        body: list[str] = []
        if 0 in self.revisions:
            body.append("revision0 := revision(ctx, client)")
        for step, request in enumerate(self.requests, 1):
            body += self._step(step, request)
            if step in self.revisions:
                body.append(f"revision{step} := revision(ctx, client)")
        text = "\n".join(body)
        imports = ['"context"', '"fmt"', ""]
        imports += ['"go.etcd.io/etcd/api/v3/authpb"'] if "authpb." in text else []
        imports += ['pb "go.etcd.io/etcd/api/v3/etcdserverpb"', 'clientv3 "go.etcd.io/etcd/client/v3"']
        imports += ['"google.golang.org/grpc/metadata"'] if "metadata." in text else []
        quoted = "\n".join(f"\t{one}".rstrip() for one in imports)
        services = "".join(
            f"\t{service} := pb.New{name}Client(connection)\n"
            for service, name in {
                request.service: request.method.service.rpartition(".")[2] for request in self.requests
            }.items()
        )
        return (
            f"package main\n\nimport (\n{quoted}\n)\n\nfunc main() {{\n"
            "\t// an empty server, which this writes to\n"
            '\tclient, err := clientv3.New(clientv3.Config{Endpoints: []string{"127.0.0.1:2379"}})\n'
            "\tif err != nil {\n\t\tpanic(err)\n\t}\n\tdefer client.Close()\n"
            f"\tctx, connection := context.Background(), client.ActiveConnection()\n{services}\n"
            + "".join(f"\t{line}\n" for line in body)
            + "}\n"
            + (_GO_REVISION if self.revisions else "")
        )

    def _step(self, step: int, request: _Request) -> list[str]:
        context = "ctx"
        if request.token:
            context = f'metadata.AppendToOutgoingContext(ctx, "{request.field}", {request.token})'
        call, message = f"{request.service}.{request.method.name}", self.message(request.message, request)
        if request.method.server_streaming and not request.method.client_streaming:
            return [
                f"stream{step}, err := {call}({context}, {message})",
                "for err == nil {",
                "\tvar part any",
                f"\tpart, err = stream{step}.Recv()",
                f"\tfmt.Println({step}, part, err)",
                "}",
            ]
        if not request.method.client_streaming:
            return [f"step{step}, err := {call}({context}, {message})", f"fmt.Println({step}, step{step}, err)"]
        return [
            f"stream{step}, err := {call}({context})",
            "if err != nil {",
            "\tpanic(err)",
            "}",
            f"_ = stream{step}.Send({message})",
            f"step{step}, err := stream{step}.Recv()",
            f"fmt.Println({step}, step{step}, err)",
        ]

    def message(self, message: Message, request: _Request) -> str:
        held = ", ".join(self._fields(message, request))
        return f"&{_go_type(message.DESCRIPTOR.full_name)}{{{held}}}"

    def _fields(self, message: Message, request: _Request) -> Iterator[str]:
        for field, value in message.ListFields():
            text = self.value(field, value, request)
            oneof = field.containing_oneof
            if oneof is None:
                yield f"{_camel(field.name)}: {text}"
            else:
                wrapper = f"pb.{message.DESCRIPTOR.name}_{_camel(field.name)}"
                yield f"{_camel(oneof.name)}: &{wrapper}{{{_camel(field.name)}: {text}}}"

    def value(self, field: FieldDescriptor, value: Any, request: _Request) -> str:
        if _is_repeated(field):
            held = ", ".join(self._one(field, one, request) for one in value)
            return f"[]{self._type(field)}{{{held}}}"
        return self._one(field, value, request)

    def _one(self, field: FieldDescriptor, value: Any, request: _Request) -> str:
        if isinstance(value, Message):
            return self.message(value, request)
        if isinstance(value, bytes):
            return f"[]byte({_go_bytes(value)})"
        if isinstance(value, str):
            return _go_bytes(value.encode())
        if isinstance(value, bool):
            return str(value).lower()
        if field.enum_type is not None:
            return f"{self._type(field)}({value})"
        return request.expressions.get(value, str(value))

    def _type(self, field: FieldDescriptor) -> str:
        if field.message_type is not None:
            return f"*{_go_type(field.message_type.full_name)}"
        if field.enum_type is not None:
            outer = field.enum_type.containing_type
            name = f"{outer.name}_{field.enum_type.name}" if outer is not None else field.enum_type.name
            return f"{_go_package(field.enum_type.full_name)}.{name}"
        return "string"


_GO_REVISION = """
func revision(ctx context.Context, client *clientv3.Client) int64 {
	answer, err := client.Get(ctx, "\\x00")
	if err != nil {
		panic(err)
	}
	return answer.Header.Revision
}
"""


def go_snippet(finding: Finding) -> str | None:
    """A program on clientv3's connection; None where a step is more than a request and its response."""
    return _Go(finding.trace).source() if _Go.can_show(finding.trace) else None


def _go_package(full_name: str) -> str:
    return "authpb" if "authpb" in full_name else "pb"


def _go_type(full_name: str) -> str:
    return f"{_go_package(full_name)}.{full_name.rpartition('.')[2]}"


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _go_bytes(value: bytes) -> str:
    shown = (chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in value)
    return f'"{"".join(shown)}"'


def _is_repeated(field: FieldDescriptor) -> bool:
    is_repeated = getattr(field, "is_repeated", None)  # protobuf 6.31 and newer; older ones have a label
    return bool(is_repeated) if is_repeated is not None else field.label == FieldDescriptor.LABEL_REPEATED  # type: ignore[attr-defined]  # as above


def snippets(finding: Finding) -> Mapping[str, str]:
    """By the name of the language or tool; those that can't show the trace are left out."""
    made: dict[str, Snippet] = {
        "pytest": pytest_snippet,
        "Python": python_snippet,
        "Go": go_snippet,
        "etcdctl": etcdctl_snippet,
    }
    if finding.tokens:
        return {}  # the server that shows it is one that only `replay` starts
    return {name: text for name, make in made.items() if (text := make(finding)) is not None}
