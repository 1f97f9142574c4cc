"""Who sends a request, as far as a server sees it: a token, a certificate, or neither."""

from __future__ import annotations

from dataclasses import dataclass

from etcd_model.operations.auth import As, Claims


@dataclass(frozen=True, slots=True)
class Sender:
    """What a request comes with. Without anything, it is nobody's, or that of a certificate without a name."""

    token: str = ""
    claims: Claims | None = None
    """What the token says, where the client has made it."""
    certificate: str = ""
    """The common name of the client's certificate, which counts where there is no token."""

    @property
    def has_token(self) -> bool:
        """Whether there is a token, of either kind."""
        return bool(self.token) or self.claims is not None


NOBODY = Sender()


def sender_of(operation: As) -> Sender:
    """Who sends an operation."""
    return Sender(operation.sent, operation.claims, operation.certificate)
