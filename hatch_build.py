"""The build step that turns etcd.proto into what `fake_etcd.wire.messages` loads.

Two files come out: `messages.binpb`, the descriptors, read at import by whatever protobuf
runtime is installed; and `messages.pyi`, their types. No generated Python code is shipped,
because that code is tied to the protobuf release that generated it.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling leaves its config untyped
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        from grpc_tools import protoc  # only there while building

        wire = Path(self.root, "fake", "fake_etcd", "wire")
        arguments = [
            "protoc",
            f"--proto_path={wire}",
            f"--descriptor_set_out={wire / 'messages.binpb'}",
            f"--pyi_out={wire}",
            "etcd.proto",
        ]
        if protoc.main(arguments) != 0:
            raise RuntimeError(f"protoc could not compile {wire / 'etcd.proto'}")
        (wire / "etcd_pb2.pyi").replace(wire / "messages.pyi")
