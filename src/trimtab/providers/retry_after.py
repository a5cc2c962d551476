"""What a refusing upstream says about when to come back."""

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from trimtab.core import to_us


def retry_after_s(headers: Mapping[str, str], *, now_us: int) -> float | None:
    """Return the seconds to wait, ``None`` when the answer does not say or cannot be read.

    Args:
        headers: Response headers, lower-case names.
        now_us: Unix microseconds, to turn a date into a wait.

    Source:
        RFC 9110, 10.2.3: seconds or an HTTP date. ``retry-after-ms`` is what OpenAI and Azure add for fractions.

    Example:
        >>> retry_after_s({"retry-after": "2"}, now_us=0), retry_after_s({"retry-after-ms": "150"}, now_us=0)
        (2.0, 0.15)
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)  # "-0000": UTC without a place
    return max(0.0, (to_us(moment) - now_us) / 1e6)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
