"""The asyncio client aetcd, over a network or without one."""

import importlib.util
from collections.abc import Callable
from typing import Any

from grpc import aio

from fake_etcd.compat.rebinding import rebound, with_names


def client_on(open_channel: Callable[[], aio.Channel], **options: Any) -> Any:
    """An `aetcd.Client` over channels of ours: `client_on(lambda: AioInProcessChannel(Engine()))`.

    It asks for one whenever it connects, and closes it. `options` are what `aetcd.Client` takes besides the address:
    `username`, `password`, `timeout`. ImportError, which says what to install, where aetcd isn't there.
    """
    if importlib.util.find_spec("aetcd") is None:
        raise ImportError("the aetcd client is not installed: pip install 'etcd-lockstep[aetcd]'", name="aetcd")
    from aetcd import Client as AetcdClient
    from aetcd import client, rpc

    class Client(AetcdClient):  # type: ignore[misc]  # aetcd has no types
        connect = client._handle_errors(
            rebound(
                AetcdClient.connect.__wrapped__,
                {"rpc": with_names(rpc, {"insecure_channel": lambda *_, **__: open_channel()})},
            )
        )

    Client.__name__ = Client.__qualname__ = AetcdClient.__name__
    return Client(**options)
