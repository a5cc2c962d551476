"""The key an upstream is called with, from the environment or a file, read again when it changes."""

import os
import re
from pathlib import Path

from trimtab.core.errors import UpstreamUnavailable
from trimtab.providers.config import ProviderConfig

_RECHECK_S = 1.0
_KEY = re.compile(r"[!-~]+")


class ApiKey:
    """One provider's key. Its text appears in no message and no ``repr``."""

    def __init__(self, config: ProviderConfig) -> None:
        self._provider = config.name
        self._variable = config.api_key_env
        self._file = config.api_key_file
        self._checked_s = float("-inf")
        self._file_state: tuple[int, int, int] | None = None
        self._value: str | None = None
        self._problem: str | None = None

    def __repr__(self) -> str:
        return f"ApiKey(from {self._origin})"

    @property
    def _origin(self) -> str:
        if self._variable is not None:
            return f"environment variable {self._variable}"
        return f"file {self._file}" if self._file is not None else "nowhere"

    def is_ready(self, now_s: float) -> bool:
        """Return whether a call can be made: there is a key, or none is needed."""
        if now_s - self._checked_s >= _RECHECK_S:
            self._check(now_s)
        return self._problem is None

    def current(self, now_s: float) -> str | None:
        """Return the key, at most a second old; ``None`` when the upstream needs none.

        Raises:
            UpstreamUnavailable: one is configured and cannot be read.
        """
        if not self.is_ready(now_s):
            raise UpstreamUnavailable(
                f"provider {self._provider!r} has no key: {self._origin} {self._problem}.",
                hint="Set it; it is read again within a second.",
            )
        return self._value

    def _check(self, now_s: float) -> None:
        self._checked_s = now_s
        if self._variable is not None:
            self._take(os.environ.get(self._variable), missing="is not set")
        elif self._file is not None:
            self._check_file(self._file)

    def _check_file(self, path: Path) -> None:
        try:
            stat = path.stat()
            state = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if state != self._file_state:
                self._take(path.read_text("utf-8"), missing="")
                self._file_state = state
        except (OSError, UnicodeDecodeError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it is not text"
            self._file_state, self._value, self._problem = None, None, f"cannot be read ({reason})"

    def _take(self, text: str | None, *, missing: str) -> None:
        key = None if text is None else text.strip()
        if key is None:
            self._value, self._problem = None, missing
        elif not _KEY.fullmatch(key):
            self._value, self._problem = None, "is empty or holds spaces, line breaks or non-ASCII characters"
        elif key != self._value:
            self._value, self._problem = key, None
