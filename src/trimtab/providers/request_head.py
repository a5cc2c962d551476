"""Request heads as bytes: what is the same for every call to an upstream is encoded once."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from trimtab import __version__
from trimtab.core.errors import InvalidRequest
from trimtab.providers.config import HEADER_NAME, RESERVED_HEADERS, ProviderConfig, is_header_value
from trimtab.providers.http1 import Origin

_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"})


class RequestHeads:
    """Encodes heads of POST requests with a JSON body to one upstream.

    Args:
        config: Its base URL and fixed headers; those win over a caller's.
        key_header: Where the key goes, such as ``authorization``; a fixed header of that name replaces the key.
        key_prefix: Stands before the key, such as ``"Bearer "``.
    """

    def __init__(self, config: ProviderConfig, *, key_header: str, key_prefix: str) -> None:
        base_url = config.base_url or ""
        self._base_path = urlsplit(base_url).path.rstrip("/")
        self._key_header = key_header
        self._key_prefix = key_prefix
        self._fixed = {
            "host": Origin.of(base_url).authority,
            "user-agent": f"trimtab/{__version__}",
            "accept": "*/*",
            "accept-encoding": "identity",
            "content-type": "application/json",
            **config.headers,
        }
        self._not_from_callers = RESERVED_HEADERS | _CREDENTIALS | self._fixed.keys()
        self._key: str | None = None
        self._prefixes: dict[str, bytes] = {}

    def encode(self, path: str, headers: Mapping[str, str], n_body_bytes: int, *, key: str | None) -> bytes:
        """Return the head of one request.

        Args:
            path: Appended to the base URL's; a constant of the provider's code, never a caller's text.
            headers: The caller's, lower-case names; credentials and what the client sets itself are left out.
            n_body_bytes: Length of the body.
            key: The API key, if any.

        Raises:
            InvalidRequest: a caller's header holds a line break or another character HTTP does not allow.
        """
        if key != self._key:
            self._key = key
            self._prefixes.clear()
        prefix = self._prefixes.get(path)
        if prefix is None:
            prefix = self._prefixes[path] = self._prefix(path)
        if headers:
            prefix += self._from_caller(headers)
        return prefix + b"content-length: %d\r\n\r\n" % n_body_bytes

    def _prefix(self, path: str) -> bytes:
        fixed = self._fixed
        if self._key is not None and self._key_header not in fixed:
            fixed = {**fixed, self._key_header: self._key_prefix + self._key}
        lines = [f"POST {self._base_path}{path} HTTP/1.1", *(f"{name}: {value}" for name, value in fixed.items()), ""]
        return "\r\n".join(lines).encode("latin-1")

    def _from_caller(self, headers: Mapping[str, str]) -> bytes:
        lines = []
        for name, value in headers.items():
            if name in self._not_from_callers:
                continue
            if not HEADER_NAME.fullmatch(name) or not is_header_value(value):
                raise InvalidRequest(f"The header {name!r} holds a line break or a character HTTP does not allow.")
            lines.append(f"{name}: {value}\r\n")
        return "".join(lines).encode("latin-1")
