"""Watches a policy file: a good one is put in force within a second, a bad one is refused and said so."""

import asyncio
import logging
import time
from pathlib import Path

from trimtab.control.policies import PolicyDesk
from trimtab.core.errors import PolicyInvalid, StoreError

log = logging.getLogger("trimtab.control")

POLL_S = 0.25
SETTLED_S = 2.0
"""A file this old shows every further edit by its time. File systems count in steps of up to two seconds, and a second
edit within one step that keeps the size would look like none."""
MAX_BYTES = 4 * 1024 * 1024
"""A larger file is refused before it is read; real ones have a few kilobytes."""


def actor_of(path: Path) -> str:
    """Return how the audit log names a policy file."""
    return f"file:{path.name}"


class PolicyFile:
    """A file that follows an editor.

    Args:
        path: The file.
        policies: Where its content goes.
    """

    def __init__(self, path: Path, policies: PolicyDesk) -> None:
        self._path = path
        self._policies = policies
        self._stamp: tuple[int, ...] | None = None
        self._text: str | None = None
        self.refused: str | None = None
        """Why the file as it is now cannot be used; the version in force goes on serving."""

    async def watch(self) -> None:
        """Follow the file until cancelled."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(POLL_S)

    def look(self) -> None:
        """Put the file's content in force if it changed since the last look."""
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if stamp == self._stamp:
                return
            text = self._read(stat.st_size)
        except (OSError, UnicodeDecodeError) as exc:
            reason = (exc.strerror or str(exc)) if isinstance(exc, OSError) else "it is not UTF-8"
            self._refuse(f"{self._path.name} cannot be read: {reason}.")
            return
        if text == self._text or self._apply(text):
            is_settled = abs(time.time() - stat.st_mtime) > SETTLED_S
            self._stamp, self._text = stamp if is_settled else None, text

    def _read(self, n_bytes: int) -> str:
        if n_bytes > MAX_BYTES:
            raise OSError(27, f"it has {n_bytes:,} bytes, more than {MAX_BYTES:,}")
        return self._path.read_text(encoding="utf-8")

    def _apply(self, text: str) -> bool:
        """Return whether the store could be asked; if not, the next look tries again."""
        actor = actor_of(self._path)
        try:
            if self._text is None and self._policies.has_applied(text, actor=actor):
                self.refused = None
                return True
            applied = self._policies.apply(text, origin=self._path.name, actor=actor)
        except PolicyInvalid as exc:
            self._refuse(exc.message)
            return True
        except StoreError as exc:
            log.warning("the policy file waits: %s", exc.message)
            return False
        self.refused = None
        if applied.is_new:
            log.info("policy file in force: %s %s", applied.name, applied.version[:12])
        return True

    def _refuse(self, reason: str) -> None:
        if reason != self.refused:
            log.error("the policy file was refused, and the version in force goes on: %s", reason)
        self.refused = reason
