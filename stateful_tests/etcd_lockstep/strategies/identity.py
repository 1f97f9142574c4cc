"""Who sends an operation, to a server that knows its clients by certificates and by signed tokens."""

from __future__ import annotations

from dataclasses import replace

from etcd_lockstep.strategies.auth import ROOT, USERS, in_a_name, is_roots
from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.trace import AuthRevision
from etcd_model import operations as op

_STRANGER = "nobody"
"""The name of no user."""


def by_certificate(choices: ChoiceDecoder, state: GeneratorState, operation: op.Operation) -> op.Operation:
    """The operation with the certificate of a user, with a token of the sequence, or with both; now and then with
    neither, or in the name of somebody unknown."""
    if choices.pick((True, False)):
        return op.As("", operation, _name(choices, operation))
    return _with_certificate(choices, in_a_name(choices, state, operation))


def by_signed_token(choices: ChoiceDecoder, state: GeneratorState, operation: op.Operation) -> op.Operation:
    """The same, and half of the tokens are signed by the client: mostly good ones, others of another revision of the
    auth store, expired, or signed by somebody else."""
    if choices.pick((True, False)):
        return by_certificate(choices, state, operation)
    claims = op.Claims(_name(choices, operation), AuthRevision(choices.pick((0, 0, 0, 0, -1, 1))))
    if choices.one_in(6):
        claims = replace(claims, expired=True) if choices.pick((True, False)) else replace(claims, forged=True)
    return _with_certificate(choices, op.As("", operation, claims=claims))


def _with_certificate(choices: ChoiceDecoder, operation: op.Operation) -> op.Operation:
    """A token counts more than the certificate that comes along."""
    if isinstance(operation, op.As) and choices.one_in(4):
        return replace(operation, certificate=_name(choices, operation.operation))
    return operation


def _name(choices: ChoiceDecoder, operation: op.Operation) -> str:
    """What changes users and roles is mostly root's to do."""
    if choices.one_in(12):
        return _STRANGER
    return ROOT if is_roots(operation) and not choices.one_in(5) else choices.pick(USERS[::-1])


def final_check(_state: GeneratorState) -> op.Operation:
    """Where auth is on, root's to ask."""
    return op.As("", op.HashKV(), ROOT)
