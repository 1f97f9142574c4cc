"""`python -m etcd_lockstep.histories.proving`: the checker against the oracle, on very many histories."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from etcd_lockstep.histories.proving.agreement import Tally, tallies

HISTORIES = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m etcd_lockstep.histories.proving",
        description="Compare the checker with an oracle that tries every order, on histories of up to seven calls.",
        epilog="exit codes: 0 they agree; 1 they do not; 2 usage",
    )
    parser.add_argument(
        "--histories", type=int, default=HISTORIES, metavar="N", help=f"how many (default {HISTORIES:,})"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the seed of the first; the others follow")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="how many at the same time (default 2)")
    options = parser.parse_args(arguments)
    if options.histories < 1 or options.processes < 1:
        parser.error("--histories and --processes are whole numbers from 1 on")
    counted = Tally()
    for one in tallies(options.seed, options.histories, options.processes):
        counted.add(one)
        if sys.stderr.isatty():
            print(f"\r{counted.histories:,} histories", end="", file=sys.stderr, flush=True)
    for name, number in counted.verdicts.most_common():
        print(f"{number:>9,} {name}")
    for seed in counted.disagreements[:10]:
        print(f"they differ on the history of seed {seed}")
    agreed = counted.histories - counted.unknown - len(counted.disagreements)
    print(
        f"{agreed:,} of {counted.histories:,} agree, {counted.unknown:,} unknown, {len(counted.disagreements):,} differ"
    )
    return 1 if counted.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
