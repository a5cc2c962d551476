"""Recorded bodies with identifiers and keys masked: JSON, events, cut off, broken, and nothing else changed."""

import json
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trimtab.workloads import detect_identifiers, redact_body

KEY = "sk-proj-4fjK29dkfLs93kdLwP01"
CARD = "4111 1111 1111 1111"
MAIL = "ada@mail.example.org"
VALUES = (KEY, CARD, MAIL)


def masked(value: object) -> Any:  # Any: the JSON that comes back
    return json.loads(redact_body(json.dumps(value).encode()))


@pytest.mark.parametrize(
    ("value", "mask"), [(KEY, "[REDACTED:api_key]"), (CARD, "[REDACTED:card]"), (MAIL, "[REDACTED:email]")]
)
def test_a_value_is_masked_in_place_and_the_rest_keeps_its_bytes(value: str, mask: str) -> None:
    body = f'{{"b" : 1.0,\n "a":[ "see {value}, ok", null ]}}'.encode()

    assert redact_body(body) == f'{{"b" : 1.0,\n "a":[ "see {mask}, ok", null ]}}'.encode()


@given(st.recursive(st.none() | st.booleans() | st.integers(-999, 999) | st.text(max_size=9), lambda x: st.lists(x)))
def test_a_body_in_which_nothing_is_found_keeps_its_bytes(value: object) -> None:
    body = json.dumps({"x": value}, ensure_ascii=False).encode("utf-8", "surrogatepass")

    assert redact_body(body) == body


def test_keys_and_bare_numbers_are_masked_and_the_document_stays_json() -> None:
    assert masked({MAIL: 1, "n": 4111111111111111, "m": [5555555555554444, 7]}) == {
        "[REDACTED:email]": 1,
        "n": "[REDACTED:card]",
        "m": ["[REDACTED:card]", 7],
    }


def test_json_inside_json_strings_is_masked_and_stays_json_at_each_level() -> None:
    inner: object = {"card": CARD, "keep": "é\n"}
    for _ in range(3):
        inner = {"arguments": json.dumps(inner)}

    found = masked(inner)

    for _ in range(3):
        found = json.loads(found["arguments"])
    assert found == {"card": "[REDACTED:card]", "keep": "é\n"}


def test_deeper_json_is_masked_as_text() -> None:
    inner: object = {"k": KEY}
    for _ in range(9):
        inner = json.dumps({"a": inner})

    assert KEY not in json.dumps(masked({"x": inner}))


@pytest.mark.parametrize("value", VALUES)
def test_escapes_do_not_hide_a_value(value: str) -> None:
    hidden = "".join(f"\\u{ord(character):04X}" for character in value)

    found = redact_body(f'{{"content":"{hidden}","x":"\\u00e9"}}'.encode())

    assert json.loads(found)["content"].startswith("[REDACTED:")
    assert found.endswith(b'"x":"\\u00e9"}')  # untouched strings keep their spelling


def delta(text: str, index: int = 0, field: str = "content") -> bytes:
    choice = {"index": index, "delta": {field: text}, "finish_reason": None}
    return b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"


def texts_of(stream: bytes, index: int = 0, field: str = "content") -> str:
    text = ""
    for line in stream.decode().splitlines():
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                text += choice["delta"].get(field, "") if choice["index"] == index else ""
    return text


@given(st.sampled_from(VALUES), st.lists(st.integers(0, 60), max_size=10), st.sampled_from([b"\n", b"\r\n"]))
@example(KEY, list(range(60)), b"\n")
def test_a_value_split_over_any_events_of_a_stream_is_masked(value: str, cuts: list[int], ending: bytes) -> None:
    text = f"Your value is {value}, keep it."
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in pairwise(edges)]
    stream = (b"".join(delta(piece) for piece in pieces) + b"data: [DONE]\n\n").replace(b"\n", ending)

    found = redact_body(stream)

    assert texts_of(found).startswith("Your value is [REDACTED:")
    assert texts_of(found).endswith(", keep it.")
    assert found.count(ending * 2) == len(pieces) + 1
    assert b"data: [DONE]" in found


def test_choices_of_one_stream_do_not_run_into_one_another() -> None:
    pairs = zip(KEY, CARD.ljust(len(KEY), "."), strict=True)
    stream = b"".join(delta(piece, index) for pair in pairs for index, piece in enumerate(pair))

    found = redact_body(stream)

    assert texts_of(found, 0) == "[REDACTED:api_key]"
    assert texts_of(found, 1) == "[REDACTED:card]" + "." * 9


@pytest.mark.parametrize("field", ["content", "refusal", "reasoning_content", "reasoning"])
def test_every_field_that_streams_text_is_joined(field: str) -> None:
    stream = delta(KEY[:9], field=field) + delta(KEY[9:], field=field)

    assert texts_of(redact_body(stream), field=field) == "[REDACTED:api_key]"


def test_arguments_of_a_tool_call_are_joined_and_read_as_json() -> None:
    def piece(text: str) -> bytes:
        call = {"index": 0, "function": {"arguments": text}}
        return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}).encode() + b"\n\n"

    arguments = json.dumps({"to": MAIL, "n": 1})
    found = redact_body(b"".join(piece(character) for character in arguments))

    payloads = [json.loads(line[6:]) for line in found.decode().splitlines() if line]
    whole = "".join(p["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] for p in payloads)
    assert json.loads(whole) == {"to": "[REDACTED:email]", "n": 1}


@pytest.mark.parametrize(("kind", "field"), [("text_delta", "text"), ("input_json_delta", "partial_json")])
def test_anthropics_deltas_are_joined_by_block(kind: str, field: str) -> None:
    def piece(text: str, index: int) -> bytes:
        payload = {"type": "content_block_delta", "index": index, "delta": {"type": kind, field: text}}
        return b"event: content_block_delta\ndata: " + json.dumps(payload).encode() + b"\n\n"

    found = redact_body(piece(KEY[:9], 0) + piece("other", 1) + piece(KEY[9:], 0))

    assert KEY[9:].encode() not in found
    assert found.count(b"event: content_block_delta") == 3
    assert b'"other"' in found


@pytest.mark.parametrize("value", VALUES)
def test_wherever_a_body_is_cut_off_no_half_of_a_found_value_stays(value: str) -> None:
    """From the point on where what is left is still recognisable, it is masked."""
    body = json.dumps({"messages": [{"role": "user", "content": f"a\n{value} b"}]}).encode()
    for end in range(len(body)):
        found = redact_body(body[:end]).decode()
        assert value not in found
        assert not detect_identifiers(found)


def test_an_event_cut_off_in_the_middle_goes_as_a_whole() -> None:
    stream = delta(KEY[:20]) + delta(KEY[20:])[:-9]

    found = redact_body(stream)

    assert found.endswith(b"data: [REDACTED:unreadable_event]")
    assert KEY[20:].encode() not in found


def test_log_probabilities_repeat_the_text_and_go_with_it() -> None:
    tokens = [{"token": KEY[i : i + 4], "bytes": [1, 2], "logprob": -0.5} for i in range(0, len(KEY), 4)]
    answer = {"choices": [{"message": {"content": KEY}, "logprobs": {"content": tokens}}]}

    found = masked(answer)

    kept = found["choices"][0]["logprobs"]["content"]
    assert kept == [{"token": "[REDACTED:token]", "bytes": None, "logprob": -0.5}] * 7
    innocent = {"choices": [{"message": {"content": "Hi"}, "logprobs": {"content": [{"token": "Hi", "bytes": [1]}]}}]}
    assert masked(innocent) == innocent


@pytest.mark.parametrize("noise", [b"\xff\xfe", b"\x00", b"\xed\xa0\x80", b"\xc3"])
def test_bytes_that_are_not_utf8_are_kept_and_what_they_surround_is_masked(noise: bytes) -> None:
    assert redact_body(noise + KEY.encode() + noise) == noise + b"[REDACTED:api_key]" + noise
    assert redact_body(b'{"a":"' + noise + b'"}') == b'{"a":"' + noise + b'"}'


@given(st.binary(max_size=300), st.sampled_from(VALUES))
def test_no_bytes_raise_and_no_value_among_them_stays(noise: bytes, value: str) -> None:
    redact_body(noise)

    assert value.encode() not in redact_body(noise + b" " + value.encode() + b" " + noise)


@given(st.sampled_from(VALUES), st.text(max_size=40))
def test_masking_twice_changes_nothing_more(value: str, text: str) -> None:
    once = redact_body(json.dumps({"x": f"{text} {value} {text}"}).encode())

    assert redact_body(once) == once


UNITS = {
    "quotes": b'"',
    "backslashes": b"\\",
    "escaped quotes": b'\\"',
    "opens": b'{"a":"',
    "data lines": b"data: {}\n\n",
    "data without end": b"data: {",
    "log probabilities": b'"logprobs" "token": "a@b.example ',
    "spaces": b"data:" + b" " * 9,
    "deltas": delta("a@"),
    "nested": b'{"a":"{\\"b\\":\\"',
}


def seconds_to_redact(body: bytes) -> float:
    runs = []
    for _ in range(3):
        started_s = time.process_time()
        redact_body(body)
        runs.append(time.process_time() - started_s)
    return min(runs)


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_the_cost_of_redaction_grows_with_the_body_and_no_faster(unit: bytes) -> None:
    small, large = (unit * (size // len(unit)) + f" {MAIL}".encode() for size in (25_000, 100_000))

    # Four times the body: a quadratic step would cost 16 times as much.
    assert seconds_to_redact(large) < 9 * (seconds_to_redact(small) + 0.0005)
