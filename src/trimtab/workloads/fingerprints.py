"""Recognising a system prompt again although its dates, names of days and numbers change."""

import hashlib
import re
from functools import lru_cache

FINGERPRINT_CHARACTERS = 2_000
"""How much of a prompt counts. What applications append (documents, profiles, history) follows their instructions."""

_DIGIT = re.compile(r"\d")
_CALENDAR = re.compile(
    r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|am|pm|utc|gmt"
    r"|jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|june?|july?|aug(?:ust)?|sept?(?:ember)?|(?:octo|novem|decem)ber"
    r"|oct|nov|dec"
)
"""Days, months and what stands beside a time; "may" is a verb far more often."""
_VARIABLE = "#"


def fingerprint(system_text: str) -> str:
    """Return 12 hex digits that stay the same under white space, letter case, numbers, dates, times and UUIDs.

    Every word with a digit counts as variable, and so do names of days and months; several in a row count as one.
    """
    return _fingerprint(system_text[:FINGERPRINT_CHARACTERS])


@lru_cache(maxsize=512)
def _fingerprint(head: str) -> str:
    words: list[str] = []
    for word in head.casefold().split():
        is_variable = _DIGIT.search(word) is not None or _CALENDAR.fullmatch(word.strip(".,;:()")) is not None
        if not is_variable:
            words.append(word)
        elif not words or words[-1] != _VARIABLE:
            words.append(_VARIABLE)
    return hashlib.sha256(" ".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:12]
