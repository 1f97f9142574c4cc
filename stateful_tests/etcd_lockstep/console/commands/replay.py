"""`replay`: run corpus files again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from etcd_lockstep.catalogue import UserTarget
from etcd_lockstep.console.commands.fuzz import print_targets
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.filing.corpus import BadFile, CorpusFile, load
from etcd_lockstep.filing.replaying import Outcome, Replay, Replayer
from etcd_lockstep.searching.run import NothingToDo
from etcd_lockstep.servers import EtcdSource
from etcd_lockstep.shards.result import targets_of

_STYLES = {
    Outcome.FIXED: "green",
    Outcome.STILL_LIES: "red",
    Outcome.NOT_REPRODUCED: "yellow",
    Outcome.NOT_REPLAYED: "yellow",
}


def run_replay(
    console: Console,
    paths: Sequence[Path],
    source: EtcdSource,
    against: Sequence[str | UserTarget],
    *,
    allow_destroy: bool,
    call_timeout: float,
) -> Exit:
    """Replay corpus files, and folders of them."""
    files: list[CorpusFile] = []
    broken: list[BadFile] = []
    for path in _json_files(paths):
        try:
            files.append(load(path))
        except BadFile as error:
            broken.append(error)
    outcomes: Counter[Outcome] = Counter()
    with Replayer(
        source,
        against,
        allow_destroy=allow_destroy,
        call_timeout=call_timeout,
        progress=console.print,
        on_start=lambda participants: print_targets(console, targets_of(participants)),
    ) as replayer:
        for file in sorted(files, key=lambda file: (file.over_quota, file.tokens)):  # so that few servers are started
            result = replayer.replay(file)
            outcomes[result.outcome] += 1
            _print(console, result)
    for reason in broken:
        console.print(str(reason), style="bold red", soft_wrap=True)
    if files:
        console.print(", ".join(f"{number:,} {outcome.value}" for outcome, number in outcomes.items()))
    if broken or outcomes.keys() <= {Outcome.NOT_REPLAYED}:
        return Exit.REFUSED
    return Exit.LIES if outcomes[Outcome.STILL_LIES] else Exit.AGREED


def _print(console: Console, result: Replay) -> None:
    verdict = Text(f"{result.outcome.value:<12}", style=_STYLES[result.outcome])
    console.print(Text.assemble(verdict, f" {result.file.path}"), soft_wrap=True)
    if result.remark:
        console.print(Padding(Text(result.remark, style="dim"), (0, 0, 0, 13), expand=False))


def _json_files(paths: Sequence[Path]) -> list[Path]:
    """The files named, and those in the folders named. Raises `NothingToDo` where there are none."""
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    if not files:
        raise NothingToDo(f"no corpus file in {', '.join(map(str, paths))}")
    return files
