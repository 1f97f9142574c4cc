"""Known bugs of etcd: a table of them, and what shows each on a version that has it and not on one that is mended."""

from etcd_lockstep.known_bugs.bug import Bug, ByRun, ByTrace, Outcome
from etcd_lockstep.known_bugs.choosing import Choice, choose, quirk_as_bug
from etcd_lockstep.known_bugs.showing import show
from etcd_lockstep.known_bugs.table import BUGS

__all__ = ["BUGS", "Bug", "ByRun", "ByTrace", "Choice", "Outcome", "choose", "quirk_as_bug", "show"]
