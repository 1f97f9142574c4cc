"""The catalogue: every target that a run can be asked for by name, and how a user's own is found."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial, update_wrapper
from typing import Any

from etcd_lockstep import servers
from etcd_lockstep.comparing.lockstep import UNDECIDED
from etcd_lockstep.names import OPERATION_NAMED
from etcd_lockstep.servers import Credentials, EtcdSource, NoEtcd
from etcd_lockstep.specimens import SPECIMENS
from etcd_lockstep.target import ALL, Target, TargetDied, described, is_target_class
from etcd_lockstep.targets.checked import CheckedTarget
from etcd_lockstep.targets.deadline import Overdue
from etcd_lockstep.targets.etcd3_mock import Etcd3Mock, UnfitClient
from etcd_lockstep.targets.served import PREFIX, parse_served
from etcd_model.operations import Txn
from fake_etcd.compat.etcd3 import import_etcd3

REFERENCES = {
    "model": "the reference model; takes part in every run",
    "fake": "the in-memory etcd, in this process; takes part in every run",
    "etcd": "the real etcd of the run; see --etcd",
}
OTHERS = {
    "fake-server": "the in-memory etcd as a gRPC server on loopback",
    "etcd3": "the etcd3 client for Python, in front of a real etcd of its own",
}


ETCD3_PREFIX = "etcd3:"
"""What a mock of the etcd3 client is named with."""


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
    """The target that `--against` names: one of `OTHERS`, a specimen, `serve:COMMAND`, `package.module:Class`, or
    `etcd3:package.module:Class`.

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
    if name.startswith(ETCD3_PREFIX):
        return _etcd3_mock(name)
    if ":" not in name:
        raise UnknownTarget(
            f"no target is called {name!r}: `etcd-lockstep targets` lists them, and your own is package.module:Class, "
            "serve:COMMAND, or etcd3:package.module:Class for a mock of the etcd3 client"
        )
    return user_target(_user_class(name), name)


def user_target(kind: Callable[[], Target], name: str) -> UserTarget:
    """A target of the user's by its class, or whatever makes one when it is called; `name` is for error messages."""

    def make() -> Target:
        try:
            target = kind()
        except TargetDied as died:
            raise TargetDied(f"{name}: {died}") from died
        except UnfitClient as error:
            raise UnknownTarget(f"{name}: {error}") from error
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
        raise UnknownTarget(
            f"{name}: no operation is called {unknown[0]!r}, which its capabilities hold: {_meant(unknown[0])}"
        )


def _meant(capability: str) -> str:
    """The operations whose names are near, or those that there are."""
    near = sorted(name for name in ALL if name.startswith(f"{capability}_")) or get_close_matches(capability, ALL)
    return f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(OPERATION_NAMED)}"


def _etcd3_mock(name: str) -> UserTarget:
    module, _, factory_name = name.removeprefix(ETCD3_PREFIX).partition(":")
    if not module or not factory_name:
        raise UnknownTarget(f"{name}: a mock of the etcd3 client is named as in {ETCD3_PREFIX}package.module:Class")
    with suppress(ImportError):  # a mock need not import etcd3; one that does needs it to be importable
        import_etcd3()
    factory = _in_module(name, module, factory_name)
    if factory is None or not callable(factory):
        what = "is not there" if factory is None else "can't be called, and should make a client"
        raise UnknownTarget(f"{name}: {factory_name} in {module} {what}")
    if is_target_class(factory):
        raise UnknownTarget(f"{name}: {factory_name} is a target already: --against {module}:{factory_name}")
    return user_target(update_wrapper(partial(Etcd3Mock, factory), factory), name)


def _user_class(name: str) -> type[Target]:
    module_name, _, class_name = name.partition(":")
    found = _in_module(name, module_name, class_name)
    if not is_target_class(found):
        what = "is not there" if found is None else "is not a subclass of etcd_lockstep.target.Target"
        raise UnknownTarget(f"{name}: {class_name} in {module_name} {what}")
    return found


def _in_module(name: str, module_name: str, wanted: str) -> Any:
    """What a module of the user's calls so; None where there is nothing. `name` is for error messages."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module of the user's may fail in any way
        raise UnknownTarget(f"{name}: can't import {module_name} ({described(error)})") from error
    return getattr(module, wanted, None)
