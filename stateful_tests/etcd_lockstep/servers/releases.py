"""The numbers of etcd's releases: how they are written, and their order."""

import re

_RELEASE = re.compile(r"(\d+\.\d+\.\d+)(?:-([0-9a-z]+(?:[.-][0-9a-z]+)*))?", re.ASCII)
_SERIES = re.compile(r"\d+\.\d+", re.ASCII)


def is_release(number: str) -> bool:
    """Whether this is one release's number, as `3.5.16` or `3.8.0-alpha.0`."""
    return _RELEASE.fullmatch(number) is not None


def is_series(number: str) -> bool:
    """Whether this stands for all patches of a minor release, as `3.5`."""
    return _SERIES.fullmatch(number) is not None


def precedence(number: str) -> tuple[list[int], bool, list[tuple[bool, int, str]]]:
    """A key to sort releases by, the newest last: 3.8.0-alpha.0, 3.8.0-alpha.2, 3.8.0-rc.0, 3.8.0 (semver.org, 11)."""
    match = _RELEASE.fullmatch(number)
    if match is None:
        raise ValueError(f"{number!r} is not a release of etcd")
    release, pre = match.groups(default="")
    parts = [(False, int(part), "") if part.isdigit() else (True, 0, part) for part in pre.split(".")]
    return [int(part) for part in release.split(".")], not pre, parts
