"""The build step that turns etcd.proto into what `fake_etcd.wire.messages` loads, and control.proto likewise.

Two files come out of each: `messages.binpb`, the descriptors, read at import by whatever protobuf
runtime is installed; and `messages.pyi`, their types. No generated Python code is shipped,
because that code is tied to the protobuf release that generated it.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling leaves its config untyped
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        from grpc_tools import protoc  # only there while building

        for folder, proto in (("wire", "etcd"), ("control", "control")):
            _compile(protoc, Path(self.root, "fake", "fake_etcd", folder), proto)


def _compile(protoc: Any, folder: Path, proto: str) -> None:
    arguments = [
        "protoc",
        f"--proto_path={folder}",
        f"--descriptor_set_out={folder / 'messages.binpb'}",
        f"--pyi_out={folder}",
        f"{proto}.proto",
    ]
    if protoc.main(arguments) != 0:
        raise RuntimeError(f"protoc could not compile {folder / proto}.proto")
    (folder / f"{proto}_pb2.pyi").replace(folder / "messages.pyi")
