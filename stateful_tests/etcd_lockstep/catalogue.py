"""The catalogue: every target that a run can be asked for by name, and how a user's own is found."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass

from etcd_lockstep import servers
from etcd_lockstep.comparing.lockstep import UNDECIDED
from etcd_lockstep.servers import Credentials, EtcdSource, NoEtcd
from etcd_lockstep.specimens import SPECIMENS
from etcd_lockstep.target import ALL, Target, TargetDied, described, is_target_class
from etcd_lockstep.targets.checked import CheckedTarget
from etcd_lockstep.targets.deadline import Overdue
from etcd_lockstep.targets.served import PREFIX, parse_served
from etcd_model.operations import Txn

REFERENCES = {
    "model": "the reference model; takes part in every run",
    "fake": "the in-memory etcd, in this process; takes part in every run",
    "etcd": "the real etcd of the run; see --etcd",
}
OTHERS = {
    "fake-server": "the in-memory etcd as a gRPC server on loopback",
    "etcd3": "the etcd3 client for Python, in front of a real etcd of its own",
}


class UnknownTarget(ValueError):
    """No such target, or what is named can't be used as one."""


@dataclass(frozen=True, slots=True)
class UserTarget:
    """A target of the user's: a class, made anew for each use of it."""

    name: str
    make: Callable[[], Target]
    is_ours: bool = False
    """Whether its code need not be watched: it is a specimen, or a program whose calls have a deadline each."""


def find(name: str) -> str | UserTarget:
    """The target that `--against` names: one of `OTHERS`, a specimen, `serve:COMMAND`, or `package.module:Class`.

    Raises `UnknownTarget`, with a line that says what is wrong.
    """
    if name in OTHERS:
        return name
    if name in SPECIMENS:
        return UserTarget(name, SPECIMENS[name], is_ours=True)
    if name in REFERENCES:
        raise UnknownTarget(f"{name} takes part in every run; --against names what is compared with it")
    if name.startswith(PREFIX):
        return _served(name)
    if ":" not in name:
        raise UnknownTarget(
            f"no target is called {name!r}: `etcd-lockstep targets` lists them, and your own is package.module:Class, "
            "or serve:COMMAND"
        )
    return user_target(_user_class(name), name)


def user_target(kind: Callable[[], Target], name: str) -> UserTarget:
    """A target of the user's by its class, or whatever makes one when it is called; `name` is for error messages."""

    def make() -> Target:
        try:
            target = kind()
        except TargetDied as died:
            raise TargetDied(f"{name}: {died}") from died
        except (KeyboardInterrupt, Overdue):
            raise
        except BaseException as error:  # code of the user's may fail in any way
            raise UnknownTarget(f"{name}: {getattr(kind, '__name__', 'it')}() raised {described(error)}") from error
        if not isinstance(target, Target):
            raise UnknownTarget(f"{name}: that makes {type(target).__name__}, which is no etcd_lockstep.Target")
        _check_declared(target, name)
        called = getattr(target, "name", None) or type(target).__name__
        if called in (*REFERENCES, UNDECIDED):
            raise UnknownTarget(f"{name}: a run has a target called {called!r} already: give yours another name")
        return CheckedTarget(target, called)

    return UserTarget(name, make)


def _served(text: str) -> UserTarget:
    try:
        served = parse_served(text)
    except ValueError as error:
        raise UnknownTarget(str(error)) from None
    if served.name in (*REFERENCES, UNDECIDED):
        raise UnknownTarget(
            f"{text}: a run has a target called {served.name!r} already: name yours, as in serve:NAME=COMMAND"
        )
    return UserTarget(served.name, served.start, is_ours=True)


def find_two(
    first: str, second: str, credentials: Credentials | None = None
) -> tuple[EtcdSource, str | UserTarget | EtcdSource]:
    """The two targets of a `diff`: the one that is the judge, which is an etcd, and the one that is compared with it.

    Raises `UnknownTarget`, with a line that says what is wrong.
    """
    one, other = etcd_or_target(first, credentials), etcd_or_target(second, credentials)
    if one == other and isinstance(one, servers.Endpoint):
        raise UnknownTarget(f"{first} is one server: a diff needs two")
    if not isinstance(one, str | UserTarget):
        return one, other
    if not isinstance(other, str | UserTarget):
        return other, one
    raise UnknownTarget(
        f"neither {first} nor {second} is an etcd: name one ({servers.ACCEPTED}), "
        f"or hold each against the model and the fake with `etcd-lockstep fuzz --etcd none --against {first}`"
    )


def is_etcd(name: str) -> bool:
    """Whether a text names an etcd, as `--etcd` does."""
    return name.partition(":")[0] in servers.KINDS


def etcd_or_target(name: str, credentials: Credentials | None = None) -> str | UserTarget | EtcdSource:
    """The etcd, or what else a text names. Raises `UnknownTarget` and `servers.BadSource`."""
    if not is_etcd(name):
        return find(name)
    source = servers.parse_source(name, credentials)
    if isinstance(source, NoEtcd):
        raise UnknownTarget("none is no target: name an etcd, or something to compare with one")
    return source


def _check_declared(target: Target, name: str) -> None:
    """What a target says of itself. Raises `UnknownTarget`."""
    if not isinstance(target.keys, Collection) or any(not isinstance(key, bytes) for key in target.keys):
        raise UnknownTarget(f"{name}: its keys are {target.keys!r:.60}, and should be bytes")
    if not isinstance(target.capabilities, Collection) or isinstance(target.capabilities, str):
        raise UnknownTarget(
            f"{name}: its capabilities are {target.capabilities!r:.60}, and should be a set of the names of operations"
        )
    if not isinstance(target.txns, Collection) or any(not isinstance(txn, Txn) for txn in target.txns):
        raise UnknownTarget(f"{name}: its txns are {target.txns!r:.60}, and should be operations of the class Txn")
    unknown = sorted(str(capability) for capability in set(target.capabilities) - ALL)
    if unknown:
        raise UnknownTarget(f"{name}: no operation is called {unknown[0]!r}, which its capabilities hold")


def _user_class(name: str) -> type[Target]:
    module_name, _, class_name = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module of the user's may fail in any way
        raise UnknownTarget(f"{name}: can't import {module_name} ({described(error)})") from error
    found = getattr(module, class_name, None)
    if not is_target_class(found):
        what = "is not there" if found is None else "is not a subclass of etcd_lockstep.target.Target"
        raise UnknownTarget(f"{name}: {class_name} in {module_name} {what}")
    return found
