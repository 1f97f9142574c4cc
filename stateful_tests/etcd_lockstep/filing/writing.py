"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4


def write_whole(path: Path, text: str | Iterable[str], *, follow_links: bool = True) -> None:
    """Replace the file by one with this text. Whatever goes wrong, such as a full disk, leaves the old file as it was.

    `text`: all of it, or its parts one after the other. `follow_links`: whether what a link points to is replaced, and
    the link stays; otherwise the link is replaced. Raises `OSError`, which names the file.
    """
    parts = [text] if isinstance(text, str) else text
    try:
        if _is_special(path, follow_links=follow_links):
            _write_special(path, parts)
        else:
            _replace(Path(os.path.realpath(path)) if follow_links else path, parts)
    except OSError as error:
        error.filename = str(path)
        raise


def write_each(files: Iterable[tuple[Path, str | Iterable[str]]]) -> None:
    """As `write_whole`, for several: one that can't be written keeps no other from being written.

    Raises one `OSError`, which names all that could not be written.
    """
    failed = []
    for path, text in files:
        try:
            write_whole(path, text)
        except OSError as error:
            failed.append(error)
    if failed:
        first, *others = failed
        reasons = (f"{first.strerror}", *(f"{other.filename}: {other.strerror}" for other in others))
        raise OSError(first.errno, "; ".join(reasons), first.filename)


def _is_special(path: Path, *, follow_links: bool) -> bool:
    """Whether it is a device or a pipe, which can't be replaced. `/dev/stdout` leads to one that has no path."""
    return path.exists() and not path.is_file() and (follow_links or not path.is_symlink())


def _write_special(path: Path, parts: Iterable[str]) -> None:
    """Opening a pipe that nobody reads would wait for ever, and no signal would end that."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO and path.is_fifo():
            raise OSError(error.errno, "nobody reads this pipe") from None
        raise
    with open(descriptor, "w", encoding="utf-8") as file:
        os.set_blocking(descriptor, True)
        file.writelines(parts)


def _replace(target: Path, parts: Iterable[str]) -> None:
    temporary = target.parent / f".{target.name}.{uuid4().hex}"  # known before it is made, so that no signal leaves it
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_mode(target))
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _mode(path: Path) -> int:
    """The permissions that the file has, or would have if it were made now."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
