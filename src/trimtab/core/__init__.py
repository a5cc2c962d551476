"""Ids, usage, money, wire forms, records, clock and errors: what every room shares."""

from trimtab.core.clock import US_PER_DAY, US_PER_HOUR, Clock, SystemClock, day_of, month_start, to_datetime, to_us
from trimtab.core.ids import derived_call_id, new_call_id
from trimtab.core.money import format_usd, from_nano_usd, to_nano_usd
from trimtab.core.records import (
    GATEWAY,
    Api,
    Attempt,
    CallRecord,
    CallStatus,
    CostSource,
    Feedback,
    JournalEntry,
    StoreMode,
)
from trimtab.core.sensitivity import STRICTEST, Sensitivity, SensitivityLabel, parse_sensitivity
from trimtab.core.usage import BYTES_PER_TOKEN, NO_USAGE, Usage

__all__ = [
    "BYTES_PER_TOKEN",
    "GATEWAY",
    "NO_USAGE",
    "STRICTEST",
    "US_PER_DAY",
    "US_PER_HOUR",
    "Api",
    "Attempt",
    "CallRecord",
    "CallStatus",
    "Clock",
    "CostSource",
    "Feedback",
    "JournalEntry",
    "Sensitivity",
    "SensitivityLabel",
    "StoreMode",
    "SystemClock",
    "Usage",
    "day_of",
    "derived_call_id",
    "format_usd",
    "from_nano_usd",
    "month_start",
    "new_call_id",
    "parse_sensitivity",
    "to_datetime",
    "to_nano_usd",
    "to_us",
]
