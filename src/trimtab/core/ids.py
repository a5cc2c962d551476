"""Identifiers: sortable by time, hard to guess, safe in a header and a file name."""

import hashlib
import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


def _base32(number: int, length: int) -> str:
    digits = []
    for _ in range(length // 2):
        number, pair = divmod(number, 1024)
        digits.append(_PAIRS[pair])
    return "".join(reversed(digits))


def new_call_id() -> str:
    """Return ``call_`` and 26 characters: 48 bits of Unix milliseconds, then 80 random bits.

    Ids made later sort later (to the millisecond), so an index on them stays compact.
    """
    milliseconds = time.time_ns() // 1_000_000
    return "call_" + _base32(milliseconds << 80 | int.from_bytes(os.urandom(10)), 26)


def derived_call_id(*parts: str) -> str:
    """Return the same ``call_`` id for the same parts, so that importing a file twice stores it once.

    The id carries no time; the parts should name the source and the row's own id inside it.
    """
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return "call_" + _base32(int.from_bytes(digest[:17]) & (1 << 130) - 1, 26)
