"""`targets`: list what can be asked for by name."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from etcd_lockstep.catalogue import OTHERS, REFERENCES
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.specimens import SPECIMENS


def run_targets(console: Console) -> Exit:
    """List what can be asked for by name."""
    table = Table.grid(padding=(0, 3))
    for name, what in (*REFERENCES.items(), *OTHERS.items()):
        table.add_row(name, what)
    for name, make in SPECIMENS.items():
        table.add_row(name, f"specimen: {(make.__doc__ or '').strip().splitlines()[0]}")
    table.add_row("serve:COMMAND", "a program that serves etcd's API, in any language; see docs/targets.md")
    table.add_row("etcd3:package.module:Class", "a mock of the etcd3 client for Python; see docs/targets.md")
    table.add_row("package.module:Class", "a target of your own; see docs/targets.md")
    console.print(table)
    return Exit.AGREED
