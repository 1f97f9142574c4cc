"""Files are written whole or not at all."""

from __future__ import annotations

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
    target = Path(os.path.realpath(path)) if follow_links else path
    if target.exists() and not target.is_file() and not target.is_symlink():
        with target.open("w", encoding="utf-8") as file:  # a device or a pipe can't be replaced
            file.writelines(parts)
        return
    temporary = target.parent / f".{target.name}.{uuid4().hex}"  # known before it is made, so that no signal leaves it
    try:
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
    except OSError as error:
        error.filename = str(path)
        raise


def _mode(path: Path) -> int:
    """The permissions that the file has, or would have if it were made now."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
