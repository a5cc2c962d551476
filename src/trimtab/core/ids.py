"""Identifiers: sortable by time, hard to guess, safe in a header and a file name."""

import hashlib
import os
import threading
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_FIVE_BITS = bytes(ord(_ALPHABET[byte % 32]) for byte in range(256))
"""Maps a random byte to a random character: 256 is a multiple of 32, so each is equally likely."""


def _base32(number: int, length: int) -> str:
    digits = []
    for _ in range(length // 2):
        number, pair = divmod(number, 1024)
        digits.append(_PAIRS[pair])
    return "".join(reversed(digits))


def new_call_id() -> str:
    """Return ``call_`` and 26 characters: 50 bits of Unix milliseconds, then 80 random bits.

    Ids made later sort later (to the millisecond), so an index on them stays compact.
    """
    return "call_" + _random.instant(time.time_ns() // 1_000_000) + _random.characters(16)


class _Random(threading.local):
    """Characters of five random bits each, asked of the system by the thousand: it takes longer than the rest."""

    def __init__(self) -> None:
        self._pool, self._position = "", 0
        self._instant = (0, _base32(0, 10))
        os.register_at_fork(after_in_child=self._forget)

    def instant(self, milliseconds: int) -> str:
        """Return ten characters for an instant; several calls begin in the same millisecond."""
        if self._instant[0] != milliseconds:
            self._instant = (milliseconds, _base32(milliseconds, 10))
        return self._instant[1]

    def characters(self, n: int) -> str:
        if self._position + n > len(self._pool):
            self._pool, self._position = os.urandom(4096).translate(_FIVE_BITS).decode(), 0
        start = self._position
        self._position = start + n
        return self._pool[start : self._position]

    def _forget(self) -> None:
        """Begin anew, as a forked child must: it would hand out its parent's characters again."""
        self._pool, self._position = "", 0


_random = _Random()


def derived_call_id(*parts: str) -> str:
    """Return the same ``call_`` id for the same parts, so that importing a file twice stores it once.

    The id carries no time; the parts should name the source and the row's own id inside it.
    """
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return "call_" + _base32(int.from_bytes(digest[:17]) & (1 << 130) - 1, 26)
