"""Rules of faults as messages of the control service, one to one."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from fake_etcd.control import messages as pb
from fake_etcd.faults.rules import (
    CancelWatch,
    Delay,
    Disconnect,
    Effect,
    ExpireLease,
    Fault,
    NoAnswer,
    NoSpace,
    Refuse,
    StallWatch,
)

_EFFECTS: dict[str, type[Effect]] = {
    "refuse": Refuse,
    "disconnect": Disconnect,
    "no_answer": NoAnswer,
    "delay": Delay,
    "expire_lease": ExpireLease,
    "no_space": NoSpace,
    "stall_watch": StallWatch,
    "cancel_watch": CancelWatch,
}
_NAMES = {effect: name for name, effect in _EFFECTS.items()}


def to_fault(message: pb.Fault) -> Fault:
    """The rule that a message holds. ValueError where it makes no sense."""
    name = message.WhichOneof("then")
    if name is None:
        raise ValueError(f"a rule says what happens then: {', '.join(_EFFECTS)}")
    held, effect = getattr(message, name), _EFFECTS[name]
    return Fault(
        then=effect(**{field.name: getattr(held, field.name) for field in fields(effect)}),
        method=message.method,
        key_prefix=message.key_prefix,
        nth=message.nth,
        times=message.times,
        probability=message.probability if message.HasField("probability") else 1.0,
        seed=message.seed,
    )


def to_message(fault: Fault) -> pb.Fault:
    """The message that holds a rule."""
    message = pb.Fault(
        method=fault.method,
        key_prefix=fault.key_prefix,
        nth=fault.nth,
        times=fault.times,
        probability=fault.probability,
        seed=fault.seed,
    )
    effect: Any = fault.then
    held = getattr(message, _NAMES[type(effect)])
    held.SetInParent()
    for field in fields(effect):
        setattr(held, field.name, getattr(effect, field.name))
    return message
