"""Identifiers: sortable by time, hard to guess, safe in a header and a file name."""

import hashlib
import os
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
    return "call_" + _base32(time.time_ns() // 1_000_000, 10) + os.urandom(16).translate(_FIVE_BITS).decode()


def derived_call_id(*parts: str) -> str:
    """Return the same ``call_`` id for the same parts, so that importing a file twice stores it once.

    The id carries no time; the parts should name the source and the row's own id inside it.
    """
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return "call_" + _base32(int.from_bytes(digest[:17]) & (1 << 130) - 1, 26)
