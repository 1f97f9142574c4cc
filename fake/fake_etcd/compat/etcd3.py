"""The etcd3 client for Python, 0.12.0, under any protobuf, over a network or without one.

The modules that protoc once generated for etcd3 (`etcd3.etcdrpc.rpc_pb2` and its neighbours) refuse
to be imported under protobuf 4 and later. They hold nothing but messages and client stubs, both of
which the wire has: so `etcd3.etcdrpc` is built from it, and is in `sys.modules` before etcd3 looks.
All of etcd3's own code runs as it was installed. The stand-in has what a client needs: the
base classes for servers (`KVServicer`, …) are not there.

A test suite whose program imports etcd3 by itself calls `import_etcd3()` once before, in its conftest.py.
"""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from threading import Thread, current_thread
from types import ModuleType
from typing import Any, ClassVar

import grpc

from fake_etcd.compat.rebinding import rebound, with_names
from fake_etcd.stubs import bind
from fake_etcd.wire import messages
from fake_etcd.wire.methods import METHODS, Method

_PACKAGE = "etcd3.etcdrpc"
_PROTO_PACKAGE = "etcdserverpb"  # etcd3 knows no method of another
_OWN_MODULES = {
    "kv_pb2": ("KeyValue", "Event"),
    "auth_pb2": ("UserAddOptions", "User", "Permission", "Role"),
}
"""The messages that etcd3 keeps in a module of their own; all others are in `rpc_pb2`."""

_PATIENCE = 1.0
"""Seconds that closing waits for etcd3's thread: it ends at once, unless a callback of the user's holds it up."""


def import_etcd3() -> ModuleType:
    """The package `etcd3`, working. May be called as often as one likes, before or after others import etcd3.

    Raises ImportError, which says what to install, where etcd3 isn't there.
    """
    if _PACKAGE not in sys.modules:
        if importlib.util.find_spec("etcd3") is None:
            raise ImportError("the etcd3 client is not installed: pip install 'etcd-lockstep[etcd3]'", name="etcd3")
        sys.modules.update(_etcdrpc())
    return importlib.import_module("etcd3")


def client_on(channel: grpc.Channel, **options: Any) -> Any:
    """An `etcd3.Etcd3Client` over a channel: `client_on(InProcessChannel(Engine()), timeout=5)`.

    `options` are what `etcd3.client` takes besides the address: `user`, `password`, `timeout`. Closing the client
    closes the channel and ends etcd3's thread for watches, which else dies of the closed channel with a traceback.
    """
    import_etcd3()
    from etcd3 import Etcd3Client, watch

    closed: list[bool] = []

    def opened(*_: Any, **__: Any) -> grpc.Channel:
        return channel

    class Watcher(watch.Watcher):  # type: ignore[misc]  # etcd3 has no types
        def _run(self) -> None:
            try:
                super()._run()
            except ValueError:
                if not closed:
                    raise

    class Client(Etcd3Client):  # type: ignore[misc]  # etcd3 has no types
        __init__ = rebound(
            Etcd3Client.__init__,
            {
                "grpc": with_names(grpc, {"insecure_channel": opened, "secure_channel": opened}),
                "watch": with_names(watch, {"Watcher": Watcher}),
            },
        )

        def close(self) -> None:
            closed.append(True)
            super().close()
            thread: Thread | None = self.watcher._callback_thread
            if thread is not None and thread is not current_thread():
                thread.join(_PATIENCE)

    Client.__name__ = Client.__qualname__ = Etcd3Client.__name__
    return Client(**options)


def _etcdrpc() -> dict[str, ModuleType]:
    """`etcd3.etcdrpc` and the modules in it, by full name."""
    descriptor = messages.DESCRIPTOR
    names = [*descriptor.message_types_by_name, *descriptor.enum_types_by_name]
    names += [value.name for enum in descriptor.enum_types_by_name.values() for value in enum.values]
    elsewhere = {name for own in _OWN_MODULES.values() for name in own}

    contents: dict[str, Mapping[str, Any]] = {
        module: {name: getattr(messages, name) for name in own} for module, own in _OWN_MODULES.items()
    }
    contents["rpc_pb2"] = {name: getattr(messages, name) for name in names if name not in elsewhere}
    contents["rpc_pb2_grpc"] = _stubs()

    package = _module(_PACKAGE, {**contents["rpc_pb2"], **contents["rpc_pb2_grpc"]}, is_package=True)
    modules = {_PACKAGE: package}
    for name, content in contents.items():
        module = _module(f"{_PACKAGE}.{name}", content)
        setattr(package, name, module)
        modules[module.__name__] = module
    return modules


def _module(name: str, content: Mapping[str, Any], *, is_package: bool = False) -> ModuleType:
    module = importlib.util.module_from_spec(ModuleSpec(name, loader=None, is_package=is_package))
    module.__doc__ = f"Stands in for {name}, made from fake_etcd.wire by {__name__}."
    vars(module).update(content)
    return module


def _stubs() -> dict[str, type]:
    """`KVStub`, `WatchStub`, …: a class for each service, with a callable for each of its methods."""
    services: dict[str, list[Method]] = {}
    for method in METHODS:
        package, _, service = method.service.rpartition(".")
        if package == _PROTO_PACKAGE:
            services.setdefault(f"{service}Stub", []).append(method)
    return {
        name: type(name, (_Stub,), {"methods": tuple(methods), "__module__": f"{_PACKAGE}.rpc_pb2_grpc"})
        for name, methods in services.items()
    }


class _Stub:
    methods: ClassVar[tuple[Method, ...]]

    def __init__(self, channel: grpc.Channel) -> None:
        for method in self.methods:
            setattr(self, method.name, bind(channel, method))
