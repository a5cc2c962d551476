"""Who is calling: the key, its app, and what it may do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from trimtab.core.errors import AuthenticationFailed, PermissionDenied
from trimtab.core.secret_hash import secret_digest
from trimtab.policy import Budget

Scope = Literal["inference", "embeddings", "feedback"]
"""What a key may do on the data plane."""
SCOPES: frozenset[str] = frozenset(get_args(Scope))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A verified caller."""

    key_id: str | None
    """``None`` when authentication is switched off."""
    app: str
    scopes: frozenset[str] = SCOPES
    calls_per_minute: int | None = None
    tokens_per_minute: int | None = None
    budgets: tuple[Budget, ...] = ()
    sensitivity: str | None = None
    """Label for calls of this key that carry none."""
    expires_at_us: int | None = None
    models: tuple[str, ...] = ()
    """Globs; the key may use only these. Empty means whatever policy allows."""


@dataclass(slots=True)
class KeyRing:
    """The keys in force, by keyed hash; replaced as a whole when a key changes.

    Args:
        pepper: Server secret of the hash; without it a stolen table of hashes is useless.
        callers: By keyed digest (``trimtab.core.secret_hash``) of the full secret (never a prefix of it).
    """

    pepper: bytes
    callers: Mapping[str, Caller] = field(default_factory=dict)

    def verify(self, secret: str | None, now_us: int) -> Caller:
        """Return the caller behind a secret.

        Raises:
            AuthenticationFailed: missing, unknown or expired. The message never repeats the secret.
        """
        if not secret:
            raise AuthenticationFailed(
                "The request carries no API key.",
                hint="Send `Authorization: Bearer tt-…` or `x-api-key: tt-…`; `trimtab keys create` makes one.",
            )
        caller = self.callers.get(secret_digest(self.pepper, secret))
        if caller is None:
            raise AuthenticationFailed(
                "The API key is not known here.",
                hint="It may have been revoked, or belong to a provider: Trimtab takes its own keys.",
            )
        if caller.expires_at_us is not None and caller.expires_at_us <= now_us:
            raise AuthenticationFailed("The API key has expired.", hint="Make another with `trimtab keys create`.")
        return caller


def require_scope(caller: Caller, scope: Scope) -> None:
    """Raise ``PermissionDenied`` unless the key has the scope."""
    if scope not in caller.scopes:
        raise PermissionDenied(
            f"This key may not use {scope}; it has {', '.join(sorted(caller.scopes)) or 'no scope'}.",
            hint="Ask for a key with that scope: `trimtab keys create --scope`.",
        )


def secret_from(headers: Mapping[str, str]) -> str | None:
    """Return the secret a request carries, from ``Authorization: Bearer`` or Anthropic's ``x-api-key``.

    A key in the URL is never read: it would end in logs.
    """
    authorization = headers.get("authorization")
    if authorization is not None:
        scheme, _, secret = authorization.partition(" ")
        return secret.strip() if scheme.lower() == "bearer" else None
    return headers.get("x-api-key")
