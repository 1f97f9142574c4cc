"""What options take: numbers, and files that are written at the end of a run."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

from etcd_lockstep.searching.run import NothingToDo


def positive(text: str) -> int:
    """A whole number from 1 on."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return number


PROCESSES_A_CORE = 16
"""More than a core has any use for, even where they mostly wait. Each takes some 100 MB, and targets of its own."""


def processes(text: str) -> int:
    """A number of processes that this machine may be asked for."""
    number, cores = positive(text), os.cpu_count() or 1
    if number > PROCESSES_A_CORE * cores:
        raise argparse.ArgumentTypeError(
            f"{number} are too many processes: at most {PROCESSES_A_CORE * cores}, {PROCESSES_A_CORE} for each core"
        )
    return number


def port(text: str) -> int:
    """A port that can be named."""
    number = positive(text)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"{number} is no port: at most 65535")
    return number


def seed(text: str) -> int:
    """Any whole number."""
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error


def seconds(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return number


def check_output(option: str, path: Path | None) -> None:
    """Raises `NothingToDo` where a file can't be written there, before a run takes its time."""
    if path is not None and not path.parent.is_dir():
        raise NothingToDo(f"{option} {path}: there is no folder {path.parent}")
    if path is not None and path.is_dir():
        raise NothingToDo(f"{option} {path}: that is a folder")
    if path is not None and not os.access(path if path.exists() else path.parent, os.W_OK):
        raise NothingToDo(f"{option} {path}: can't be written")


def check_corpus(corpus: Path | None) -> None:
    """As `check_output`, for a folder that need not be there yet."""
    if corpus is not None and corpus.exists() and not (corpus.is_dir() and os.access(corpus, os.W_OK | os.X_OK)):
        raise NothingToDo(f"--corpus {corpus}: that is no folder, or it can't be written")
