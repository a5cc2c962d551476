"""Records and labels: what is written down comes back the same, and unknown stays unknown."""

import msgspec
import pytest

from trimtab.core import (
    STRICTEST,
    Attempt,
    CallRecord,
    CallStatus,
    JournalEntry,
    Sensitivity,
    Usage,
    parse_sensitivity,
)

CALL = CallRecord(
    call_id="call_1",
    started_at_us=1,
    model="p:m",
    attempts=(Attempt(model="p:m", outcome="ok", status=200),),
    usage=Usage(input_tokens=3, output_tokens=0),
    status=CallStatus.OK,
)


def test_an_entry_survives_the_spool() -> None:
    entry = JournalEntry(call=CALL, decision=b"{}", request_body=b"\xff\x00", response_body=None)

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(entry), type=JournalEntry) == entry


def test_what_is_unknown_is_not_written_and_comes_back_unknown() -> None:
    encoded = msgspec.json.encode(CALL)

    assert b"cost_nano_usd" not in encoded
    assert msgspec.json.decode(encoded, type=CallRecord).cost_nano_usd is None


def test_usage_is_known_when_both_totals_are() -> None:
    assert CALL.usage.is_known  # no output tokens is a known number
    assert not Usage(input_tokens=3).is_known
    assert not Usage().is_known


def test_levels_are_ordered_and_the_strictest_is_restricted() -> None:
    assert sorted(Sensitivity) == [
        parse_sensitivity(word) for word in ("public", "internal", "confidential", "restricted")
    ]
    assert max(Sensitivity) == STRICTEST


@pytest.mark.parametrize("label", ["", "secret", "0", "restricted;", "públic"])
def test_a_word_that_is_no_level_is_an_error_that_lists_them(label: str) -> None:
    with pytest.raises(ValueError, match="public, internal, confidential, restricted"):
        parse_sensitivity(label)
