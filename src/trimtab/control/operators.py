"""Who works at the desk, and what they may do."""

import getpass
from dataclasses import dataclass
from typing import get_args

from trimtab.core import Clock
from trimtab.core.errors import AuthenticationFailed
from trimtab.gateway import Scope
from trimtab.store import KeyStore, StoredKey

DATA_SCOPES: tuple[str, ...] = get_args(Scope)
"""What a key may do on the data plane."""

CONTROL_SCOPES = (
    "calls:read",
    "policy:read",
    "policy:write",
    "keys:read",
    "keys:write",
    "models:read",
    "audit:read",
)
"""What a key may do at the desk. Calls, workloads and keys are those of the key's own app; policy, models and the audit
log are one for all apps."""

ADMIN = "admin"
"""The scope that means all of them, for every app."""

EVERYTHING = frozenset({*DATA_SCOPES, *CONTROL_SCOPES, ADMIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Somebody at the desk."""

    key_id: str | None = None
    """``None`` for the person at the machine's own command line."""
    actor: str
    """How the audit log names them."""
    app: str | None = None
    """Whose calls and keys they see; ``None`` is every app's."""
    permissions: frozenset[str]
    is_admin: bool = False


def local_operator() -> Operator:
    """Return the person at the command line: whoever can read the database's files may do everything."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "unknown"
    return Operator(actor=f"local:{user}", permissions=EVERYTHING, is_admin=True)


def operator_of(key: StoredKey) -> Operator:
    """Return the operator that a key makes of its holder."""
    is_admin = ADMIN in key.scopes
    return Operator(
        key_id=key.key_id,
        actor=f"key:{key.key_id}",
        app=None if is_admin else key.app,
        permissions=EVERYTHING if is_admin else frozenset(key.scopes) & EVERYTHING,
        is_admin=is_admin,
    )


class Doorkeeper:
    """Turns a secret, or a session's key, into an operator. Reads the store each time, so a revoked key ends at once.

    Args:
        keys: The keys.
        clock: Says whether a key has expired.
    """

    def __init__(self, keys: KeyStore, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def by_secret(self, secret: str | None) -> Operator:
        """Return who holds a secret.

        Raises:
            AuthenticationFailed: none was sent, or it is unknown, revoked or expired.
        """
        if not secret:
            raise AuthenticationFailed(
                "The request carries no API key.", hint="Send `Authorization: Bearer tt-…` with an operator's key."
            )
        key = self._keys.find_by_secret(secret)
        if key is None:
            raise AuthenticationFailed(
                "The API key is not known here.", hint="It may be revoked or expired: `trimtab keys list` shows all."
            )
        return operator_of(key)

    def by_key_id(self, key_id: str) -> Operator | None:
        """Return who holds a key, or ``None`` when it is gone, revoked or expired."""
        key = self._keys.find(key_id)
        if key is None or key.revoked_at_us is not None:
            return None
        if key.expires_at_us is not None and key.expires_at_us <= self._clock.now_us():
            return None
        return operator_of(key)
