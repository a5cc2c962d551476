"""Who may use the control API: every route names a permission, and a test finds one that does not.

The API takes a bearer secret only, so no browser can be tricked into using it. The read-only pages take a session
cookie that names a key and is signed; it dies with the key, at sign-out and after eight hours.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import Depends, Request

from trimtab.control import Desk, Operator
from trimtab.core.errors import AuthenticationFailed, PermissionDenied
from trimtab.gateway import secret_from

Permission = Literal[
    "calls:read", "policy:read", "policy:write", "keys:read", "keys:write", "models:read", "audit:read", "any"
]
"""``any``: whatever the key may do, it has to be a good one."""

COOKIE = "trimtab_session"
SESSION_S = 8 * 3600

IN_URL = frozenset({"key", "api_key", "apikey", "token", "access_token", "secret"})
"""Names under which people put a key into a URL, where it would end in logs and histories."""


def permission(name: Permission) -> Callable[[Request], Operator]:
    """Return a dependency that lets only operators with the permission through."""

    def check(request: Request) -> Operator:
        desk: Desk = request.app.state.desk
        if IN_URL & request.query_params.keys():
            raise AuthenticationFailed(
                "A key in the URL is not read: it would end in logs.", hint="Send it in a header, and revoke this one."
            )
        operator = desk.authenticate(secret_from({k.lower(): v for k, v in request.headers.items()}))
        if name != "any" and name not in operator.permissions:
            raise PermissionDenied(
                f"This key may not {name}; it has {', '.join(sorted(operator.permissions)) or 'no permission'}.",
                hint="Ask for a key with that scope: `trimtab keys create --scope`.",
            )
        return operator

    check.permission = name  # type: ignore[attr-defined]  # read by the test that no route goes without one
    return check


class Sessions:
    """Signed session cookies of the pages. They live in this process only: a restart signs everyone out."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._secret = secrets.token_bytes(32)
        self._ended: dict[str, int] = {}
        """Cookies signed out, with the second in which each would have ended by itself."""

    def begin(self, secret: str) -> str:
        """Return a cookie for an admin secret.

        Raises:
            AuthenticationFailed: the secret is unknown, or its key may not read what the pages show.
        """
        operator = self._desk.authenticate(secret)
        if not operator.is_admin:
            raise AuthenticationFailed("This key is not an admin key.", hint="The pages show every app's calls.")
        text = f"{operator.key_id}.{self._desk.now_s() + SESSION_S}.{secrets.token_hex(8)}"
        return f"{text}.{self._sign(text)}"

    def operator(self, cookie: str | None) -> Operator | None:
        """Return who a cookie belongs to, or ``None`` when it is forged, expired, ended or its key is gone."""
        text, _, signature = (cookie or "").rpartition(".")
        good = self._sign(text)
        if not text or not hmac.compare_digest(signature.encode(), good.encode()) or cookie in self._ended:
            return None
        key_id, expires, _ = text.rsplit(".", 2)
        if int(expires) <= self._desk.now_s():
            return None
        operator = self._desk.operator_of_key(key_id)
        return operator if operator is not None and operator.is_admin else None

    def end(self, cookie: str | None) -> None:
        """Sign out: the cookie is refused from now on, wherever it was copied to."""
        if cookie is None or self.operator(cookie) is None:
            return
        now_s = self._desk.now_s()
        self._ended = {ended: until_s for ended, until_s in self._ended.items() if until_s > now_s}
        self._ended[cookie] = now_s + SESSION_S

    def _sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


AnyOperator = Annotated[Operator, Depends(permission("any"))]
CallsReader = Annotated[Operator, Depends(permission("calls:read"))]
PolicyReader = Annotated[Operator, Depends(permission("policy:read"))]
PolicyWriter = Annotated[Operator, Depends(permission("policy:write"))]
KeysReader = Annotated[Operator, Depends(permission("keys:read"))]
KeysWriter = Annotated[Operator, Depends(permission("keys:write"))]
ModelsReader = Annotated[Operator, Depends(permission("models:read"))]
AuditReader = Annotated[Operator, Depends(permission("audit:read"))]
