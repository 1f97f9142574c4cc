"""What a campaign is to do, as data: a TOML file."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any

from etcd_lockstep import servers
from etcd_lockstep.catalogue import UnknownTarget, find
from etcd_lockstep.filing.bad_file import BadFile
from etcd_lockstep.shards.shard import Shard, seed_of
from etcd_lockstep.strategies.workloads import WORKLOADS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHARD_SECONDS = 30.0
"""So short that a lost worker costs little, and so long that starting servers costs little."""
SERVERS = 8
"""At most so many servers for sequences that wait, in one shard."""

_NAMES = tuple(workload.name for workload in WORKLOADS)


class BadDefinition(BadFile):
    """A campaign's file can't be used; the message names the file and what is wrong."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one shard searches: a workload on one etcd, with one target."""

    etcd: str
    """As `--etcd` has it."""
    target: str
    """As `--against` has it; empty where only the model, the fake and the etcd are compared."""
    workload: str

    @property
    def pair(self) -> tuple[str, str]:
        """The etcd and the target."""
        return self.etcd, self.target

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.etcd, self.target, self.workload)))


@dataclass(frozen=True, slots=True)
class Campaign:
    """The keys of the file. Exactly one of `seconds`, `shards` and `steps` says how much is searched."""

    etcd: tuple[str, ...] = ("auto",)
    """Where the real etcds come from, as `--etcd` has it. Each worker looks for them on its own machine."""
    targets: tuple[str, ...] = ()
    """As `--against` has them; each is compared alone."""
    workloads: tuple[str, ...] = _NAMES
    seed: int = 0
    seconds: float | None = None
    """Of search, for each cell."""
    shards: int | None = None
    """For each cell."""
    steps: int | None = None
    """At least so many for each etcd with each target, in all workloads together."""
    shard_seconds: float = SHARD_SECONDS
    shard_examples: int | None = None
    """The size of a shard by its examples instead of its time: then its result depends on nothing but its seed."""
    servers: int = SERVERS

    @property
    def cells(self) -> list[Cell]:
        """All combinations, in their order."""
        return [Cell(*one) for one in product(self.etcd, self.targets or ("",), self.workloads)]

    @property
    def total(self) -> int | None:
        """How many shards there are in all; None where the steps decide."""
        if self.shards is not None:
            return self.shards * len(self.cells)
        if self.seconds is not None:
            return math.ceil(self.seconds / self.shard_seconds) * len(self.cells)
        return None

    def shard(self, number: int, cell: Cell) -> Shard:
        """The shard with this number, from 0: its seed is a function of the campaign's and the number."""
        return Shard(
            etcd=cell.etcd,
            against=(cell.target,) if cell.target else (),
            workloads=(cell.workload,),
            seconds=None if self.shard_examples is not None else self.shard_seconds,
            examples=self.shard_examples,
            seed=seed_of(self.seed, number),
            most_servers=self.servers,
        )

    def to_json(self) -> dict[str, Any]:
        """As the file has it."""
        return asdict(self)


def load_campaign(path: Path) -> Campaign:
    """Read a campaign's file. Without a seed in it, one is drawn. Raises `BadDefinition` and OSError."""
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
        return campaign_of({"seed": random.randrange(2**32), **held})
    except (
        ValueError,
        servers.BadSource,
        UnknownTarget,
    ) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        raise BadDefinition(f"{path}: {error}") from error


def campaign_of(held: Mapping[str, Any]) -> Campaign:
    """The campaign that a file or a state describes. Raises ValueError; `servers.BadSource`, `UnknownTarget`."""
    keys = [field.name for field in fields(Campaign)]
    for key in held:
        if key not in keys:
            raise ValueError(f"there is no key {key!r}: a campaign has {', '.join(keys)}")
    campaign = Campaign(**{key: _checked(key, value) for key, value in held.items() if value is not None})
    amounts = [key for key in ("seconds", "shards", "steps") if getattr(campaign, key) is not None]
    if len(amounts) != 1:
        raise ValueError(f"one of seconds, shards and steps says how much is searched; here are {len(amounts)} of them")
    if campaign.seconds is not None and campaign.shard_examples is not None:
        raise ValueError(
            "seconds needs shards of some seconds: name shards or steps instead, or leave out shard_examples"
        )
    return campaign


def _checked(key: str, value: Any) -> Any:
    """A value of the file. Raises as `campaign_of` does."""
    match key:
        case "etcd" | "targets" | "workloads":
            names = [value] if isinstance(value, str) else value
            if not (isinstance(names, list | tuple) and all(isinstance(one, str) for one in names)):
                raise ValueError(f"{key} is a text or a list of texts, not {value!r}")
            if not names and key != "targets":
                raise ValueError(f"{key} names nothing")
            for name in names:
                _check_name(key, name)
            return tuple(dict.fromkeys(names))
        case "seed":
            if not isinstance(value, int) or isinstance(value, bool):
                raise ValueError(f"seed is a whole number, not {value!r}")
        case "seconds" | "shard_seconds":
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
                raise ValueError(f"{key} is a number above 0, not {value!r}")
        case _:
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{key} is a whole number from 1 on, not {value!r}")
    return value


def _check_name(key: str, name: str) -> None:
    if key == "workloads" and name not in _NAMES:
        raise ValueError(f"no workload is called {name!r}: there are {', '.join(_NAMES)}")
    if key == "etcd" and isinstance(servers.parse_source(name), servers.Endpoint):
        raise ValueError(f"{name}: an endpoint is there only once: each shard needs an etcd of its own")
    if key == "targets":
        find(name)
