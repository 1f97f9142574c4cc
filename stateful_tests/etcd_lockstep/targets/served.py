"""A program of the user's that serves etcd's API, as a target: `serve:COMMAND`."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePath

import grpc

from etcd_lockstep.codec import Malformed
from etcd_lockstep.servers import Access
from etcd_lockstep.servers.serving import ProgramFailed, ServedProgram
from etcd_lockstep.target import NotExpressible, TargetDied
from etcd_lockstep.targets.footprint import Footprint
from etcd_lockstep.targets.probing import CALLS, implements, is_reachable, with_those_that_follow
from etcd_lockstep.targets.transport import definite
from etcd_lockstep.targets.unimplemented import Unimplemented
from etcd_lockstep.targets.wire import WireTarget, empty_store
from etcd_model import Operation, Result
from etcd_model.errors import Code
from etcd_model.operations import Compact, Put, Range
from etcd_model.ranges import FROM_KEY
from etcd_model.results import PutResult, RangeResult
from fake_etcd.wire import messages

PREFIX = "serve:"

RESET = "/etcdlockstep.Target/Reset"
"""A method that a program may offer: it takes an empty message, leaves an empty store, and answers with etcd's
`ResponseHeader`, whose revision is that of the empty store, or 0 where it can't say."""

SETTLE_SECONDS = 0.05
"""How long a watch stream is listened to after a sentinel: a mock need not keep the order between watchers."""

_CONNECT_SECONDS = 10.0
"""How long the address that was printed has to answer."""


class Way(Enum):
    """How a program's store is emptied, in words for a reader."""

    OWN = "its own Reset"
    DELETING = "deleting everything"
    RESTARTING = "starting it again, which is slow"


@dataclass
class Abilities:
    """What was learned of a program when it was started first. All that are started of it share this."""

    operations: frozenset[str]
    way: Way
    counts_from_0: bool = False
    """Whether its store stands at revision 0 when it is empty."""
    survives_compaction: bool = True
    """Whether a fresh store can be compacted; False once it has died of that."""
    unimplemented: Unimplemented = field(default_factory=Unimplemented)


@dataclass
class Served:
    """A command, and what it is called."""

    name: str
    command: tuple[str, ...]
    abilities: Abilities | None = None
    """None until it has been started."""

    def start(self) -> ServedTarget:
        """Raises `TargetDied`, with a line that says why it can't be used."""
        return ServedTarget(self)


def parse_served(text: str) -> Served:
    """Read `serve:COMMAND` or `serve:NAME=COMMAND`. Raises ValueError, with a line that says what is wrong."""
    rest = text.removeprefix(PREFIX)
    name, equals, command = rest.partition("=")
    if not equals or not name or not all(character.isalnum() or character in "._-" for character in name):
        name, command = "", rest
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"{text}: {str(error).lower()}") from None
    if not words:
        raise ValueError(f"{text}: no command follows, as in serve:./my-mock or serve:my-mock=node mock.js")
    return Served(name or PurePath(words[0]).name, tuple(words))


class ServedTarget(WireTarget):
    """A program that runs as long as the target is open, and is started again where it dies."""

    shared_store = False

    def __init__(self, served: Served) -> None:
        """Raises `TargetDied`."""
        self._reset_failed = ""
        self._runs = True
        self._call_timeout: float | None = None
        try:
            self._program = ServedProgram(served.command)
            try:
                super().__init__(served.name, self._program.address, SETTLE_SECONDS)
                if served.abilities is None:
                    served.abilities = self._learn()
            except BaseException:
                self._program.stop()
                raise
        except (ProgramFailed, TargetDied) as failed:
            raise TargetDied(f"{served.name}: {failed}") from failed
        self._learned: Abilities = served.abilities
        self.capabilities = self._learned.operations
        self.keys = tuple(self._program.keys)  # type: ignore[misc]  # one instance's, not the class's

    @property
    def address(self) -> str:
        """HOST:PORT, as the program printed it."""
        return self._program.address

    @property
    def way(self) -> Way:
        """How its store is emptied."""
        return self._learned.way

    def limit_calls(self, seconds: float) -> None:
        """Let a call take so many seconds at most."""
        self._call_timeout = self._wire.call_timeout = seconds

    def connect(self, server: Access | str) -> None:
        """Talk to this server from now on. Raises `TargetDied` where nothing answers."""
        super().connect(server)
        if self._call_timeout is not None:
            self._wire.call_timeout = self._call_timeout
        if not is_reachable(self._channel, _CONNECT_SECONDS):
            raise TargetDied(f"nothing that speaks gRPC without TLS answers at {self._program.address}")

    def reset(self) -> int:
        self._reset_failed = ""
        if not self._runs:
            self._start_again()
        self._wire.close_streams()
        try:
            revision = self._emptied() or self._first_revision()
            if self._learned.way is not Way.DELETING:
                self._compact(revision)
        except (TargetDied, Malformed) as died:
            raise self._with_last_words(died) from died
        self._wire.begin_at(revision)
        return revision

    def apply(self, operation: Operation) -> Result:
        """Raises `NotExpressible` where the answer is UNIMPLEMENTED."""
        try:
            result = super().apply(operation)
        except TargetDied as died:
            raise self._with_last_words(died) from died
        self._learned.unimplemented.learn(operation, result)
        return result

    def can_express(self, operation: Operation) -> bool:
        return self._learned.unimplemented.may_send(operation)

    def revive(self) -> None:
        """Raises `TargetDied` where it can't be started."""
        if self._reset_failed:
            raise TargetDied(self._reset_failed)
        self._start_again()

    def reset_by_restarting(self) -> None:
        """From now on, start it again at each reset: what else was tried leaves something behind."""
        self._learned.way = Way.RESTARTING

    def close(self) -> None:
        self._wire.close_streams()
        self._channel.close()
        self._program.stop()

    def _emptied(self) -> int:
        """Empty the store. Returns its revision, 0 where that is not known."""
        if self._wire.footprint.auth:
            self._auth_revision = None
        match self._learned.way:
            case Way.OWN:
                self._wire.footprint = Footprint()
                return self._call_reset()
            case Way.DELETING:
                self._undo()
                return empty_store(self._wire, self._learned.operations)
            case Way.RESTARTING:
                self._start_again()
                return 0

    def _compact(self, revision: int) -> None:
        """What is emptied by deleting is compacted, and so is every other store of the run. Once one has died of it,
        it is not asked again: that the next search for findings will see."""
        if revision < 1 or "compact" not in self._learned.operations or not self._learned.survives_compaction:
            return
        try:
            super().apply(Compact(revision))
        except Malformed:
            return
        except TargetDied:
            self._learned.survives_compaction = False
            self._start_again()

    def _first_revision(self) -> int:
        """The revision of an empty store that does not say it at its reset."""
        read = self._read() if "range" in self._learned.operations else None
        revision = read.revision if isinstance(read, RangeResult) else 0
        return revision or int(not self._learned.counts_from_0)

    def _read(self) -> Result:
        """The answer to a read of an empty store: of all keys, or of one where the program can't read all."""
        read = super().apply(Range(b"\x00", FROM_KEY, count_only=True))
        return read if isinstance(read, RangeResult) else super().apply(Range(b"\x00"))

    def _call_reset(self) -> int:
        method = self._channel.unary_unary(
            RESET, request_serializer=bytes, response_deserializer=messages.ResponseHeader.FromString
        )
        try:
            header: messages.ResponseHeader = method(b"", timeout=self._wire.call_timeout)
        except grpc.RpcError as error:
            refusal = definite(error)
            if refusal.code is Code.UNIMPLEMENTED:
                raise NotExpressible(refusal.message) from error
            self._reset_failed = f"its Reset failed: {refusal.code.name}: {refusal.message}"
            raise TargetDied(self._reset_failed) from error
        return header.revision

    def _start_again(self) -> None:
        self._wire.close_streams()
        self._channel.close()
        self._runs = False
        try:
            self._program.restart()
        except ProgramFailed as failed:
            raise TargetDied(str(failed)) from failed
        self.connect(self._program.address)
        self._runs = True

    def _with_last_words(self, died: Exception) -> TargetDied:
        words = self._program.last_words()
        return TargetDied(f"{died}\n{words}" if words and words not in str(died) else str(died))

    # What it can do

    def _learn(self) -> Abilities:
        """Find out what the program can do, by requests to it. What they leave in it is gone after the next reset."""
        operations = with_those_that_follow(self._implemented())
        if not operations:
            raise TargetDied(f"it implements none of etcd's methods at {self._program.address}")
        needed = {"delete_range", *(("lease_leases", "lease_revoke") if "lease_grant" in operations else ())}
        self._learned = Abilities(operations, Way.DELETING if needed <= operations else Way.RESTARTING)
        if self._has_reset():
            self._learned.way = Way.OWN
        try:
            self.reset()
        except TargetDied:
            if self._learned.way is not Way.DELETING:
                raise
            self._learned.way = Way.RESTARTING
            self._start_again()
        self._learned.counts_from_0 = self._counts_from_0()
        return self._learned

    def _implemented(self) -> set[str]:
        """The operations whose methods the program implements; one that it dies or hangs of is among them."""
        operations: set[str] = set()
        for path, names in CALLS.items():
            try:
                if implements(self._channel, path):
                    operations |= names
            except TargetDied:
                operations |= names
                self._start_again()
        return operations

    def _has_reset(self) -> bool:
        try:
            self._call_reset()
        except NotExpressible:
            return False
        return True

    def _counts_from_0(self) -> bool:
        """Whether an empty store is at revision 0, which a header shows as none; its first put then is at 1."""
        if not {"range", "put"} <= self._learned.operations:
            return False
        with suppress(TargetDied, Malformed):
            match self._read(), super().apply(Put(b"k", b"v")):
                case RangeResult(revision=0), PutResult(revision=1):
                    return True
        return False
