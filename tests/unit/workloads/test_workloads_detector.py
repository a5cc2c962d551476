"""Identifiers and keys: what is found, what is not, and what it costs to look."""

import json
import random
import string
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trimtab.core import Sensitivity
from trimtab.workloads import SECRET_KINDS, detect_identifiers, redact
from trimtab.workloads.detector import MAX_CANDIDATES, detected_sensitivity, may_hold_identifiers


def found_in(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in detect_identifiers(text)]


# Numbers from the networks' test pages, ECBS and the issuing offices' examples; none belongs to a person.
WITH_CHECKSUM = [
    ("card", "4111111111111111"),
    ("card", "4111 1111 1111 1111"),
    ("card", "5555-5555-5555-4444"),
    ("card", "378282246310005"),
    ("card", "3782 822463 10005"),
    ("card", "6011111111111117"),
    ("iban", "DE89370400440532013000"),
    ("iban", "GB82 WEST 1234 5698 7654 32"),
    ("iban", "NO9386011117947"),
    ("national_id_us", "536-90-4399"),
    ("national_id_se", "880320-0016"),
    ("national_id_br", "390.533.447-05"),
    ("national_id_be", "85.07.30-033 28"),
    ("national_id_no", "151086 95088"),
    ("national_id_de", "36 574 261 809"),
    ("national_id_in", "2341 2341 2346"),
    ("national_id_fr", "2 95 10 99 126 111 93"),
    ("national_id_cn", "360426199101010071"),
    ("national_id_it", "RCCMNL83S18D969H"),
    ("national_id_es", "54362315-K"),
    ("national_id_es", "X2482300W"),
    ("national_id_fi", "131052-308T"),
]
KEYS = [
    ("trimtab_key", "tt-AbCdEfGh1234567890xyz"),
    ("api_key", "sk-proj-4fjK29dkfLs93kdLwP01"),
    ("api_key", "AIzaSyA1234567890abcdefghijklmnopqrstuv"),
    ("api_key", "hf_abcdefghijklmnopqrstuvwxyz012345"),
    ("api_key", "xoxb-1234567890-abcdefghij"),
    ("aws_key", "AKIAIOSFODNN7EXAMPLE"),
    ("github_token", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmN"),
    ("private_key", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"),
]
CONTACTS = [("email", "ada.l+x@mail.example.org"), ("phone", "+49 30 901820"), ("phone", "+1 (555) 010-9999")]


@pytest.mark.parametrize(("kind", "value"), WITH_CHECKSUM + KEYS + CONTACTS)
@pytest.mark.parametrize("frame", ["{}", "It is {}.", "({})", "x: {}, y", "Größe {} §", "\n{}\n", "'{}'"])
def test_a_value_is_found_whole_and_by_its_kind(kind: str, value: str, frame: str) -> None:
    assert found_in(frame.format(value)) == [(kind, value)]


def with_another_digit(value: str) -> str:
    """The same form with its last digit off by one: no checksum here lets that pass."""
    place = max(index for index, character in enumerate(value) if character.isdigit())
    return f"{value[:place]}{(int(value[place]) + 1) % 10}{value[place + 1 :]}"


@pytest.mark.parametrize("value", [value for kind, value in WITH_CHECKSUM if kind in ("card", "iban")])
def test_a_wrong_check_digit_is_no_identifier(value: str) -> None:
    assert found_in(with_another_digit(value)) == []


@pytest.mark.parametrize(
    "text",
    [
        "order 1234567890123456",
        "at 1764000000000 ms and 1764000000000000000 ns",
        "0000 0000 0000 0000",
        "ISBN 978-3-16-148410-0, EAN 4006381333931",
        "uuid 550e8400-e29b-41d4-a716-446655440000",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sk-learn-is-a-library-for-machine-learning",
        "version 10.0.19041.1, ip 192.168.100.200",
        "3.14159265358979323846",
        "2026-11-24T06:00:00.000000+00:00",
        "+1 for that, and a@b",
        "TT12 is no IBAN",
        "call_01hzy3k8v9q2m4n6p8r0s2t4v6",
    ],
)
def test_what_only_looks_like_one_is_left_alone(text: str) -> None:
    assert found_in(text) == []


def luhn_completed(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return digits + str(-total % 10)


@given(st.from_regex(r"4[0-9]{14}|5[1-5][0-9]{13}", fullmatch=True))
def test_every_card_number_is_found_and_each_neighbour_is_not(digits: str) -> None:
    number = luhn_completed(digits)
    assume(len(set(number)) > 1)

    assert found_in(f"card {number}.") == [("card", number)]
    assert ("card", with_another_digit(number)) not in found_in(with_another_digit(number))


def iban_of(country: str, account: str) -> str:
    as_digits = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{country}{98 - int(as_digits) % 97:02}{account}"


@given(st.from_regex(r"[0-9]{18}", fullmatch=True))
def test_every_iban_is_found_in_both_written_forms(account: str) -> None:
    number = iban_of("DE", account)
    grouped = " ".join(number[i : i + 4] for i in range(0, len(number), 4))

    assert ("iban", number) in found_in(f"to {number} now")
    assert ("iban", grouped) in found_in(f"to {grouped} now")


@given(st.lists(st.sampled_from([value for _, value in WITH_CHECKSUM + KEYS[:7] + CONTACTS]), max_size=5))
def test_redacting_leaves_nothing_to_find_and_keeps_what_stands_between(values: list[str]) -> None:
    masked = redact("\n| ".join(["begin", *values, "end"]))

    assert all(value not in masked for value in values)
    assert detect_identifiers(masked) == []
    assert masked.count("\n| ") == len(values) + 1


@given(st.text(max_size=200))
def test_spans_are_in_order_apart_and_inside_the_text(text: str) -> None:
    hits = detect_identifiers(f"{text} {KEYS[0][1]} {text}")

    edges = [edge for one in hits for edge in (one.start, one.end)]
    assert edges == sorted(edges)
    assert any(one.kind in SECRET_KINDS for one in hits)


@given(st.text(alphabet=string.printable, max_size=120))
def test_the_first_glance_never_misses_what_a_closer_look_would_find(text: str) -> None:
    for value in ("4111111111111111", "a@b.example", "AKIAIOSFODNN7EXAMPLE"):
        whole = f"{text} {value} {text}"
        assert may_hold_identifiers(whole) or not detect_identifiers(whole)
        assert may_hold_identifiers(json.dumps(whole))


def body(content: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": content}]}).encode()


@given(st.sampled_from(list(Sensitivity)), st.text(max_size=60), st.sampled_from(["", *(v for _, v in KEYS)]))
def test_the_detector_only_raises(floor: Sensitivity, text: str, value: str) -> None:
    level, kind = detected_sensitivity(body(f"{text} {value}"), floor)

    assert level >= floor
    assert (level > floor) == (kind is not None)


@pytest.mark.parametrize("floor", list(Sensitivity))
@pytest.mark.parametrize(
    ("values", "least"), [(KEYS, Sensitivity.RESTRICTED), (WITH_CHECKSUM + CONTACTS, Sensitivity.CONFIDENTIAL)]
)
def test_keys_make_a_call_restricted_and_identifiers_confidential(
    values: list[tuple[str, str]], least: Sensitivity, floor: Sensitivity
) -> None:
    for kind, value in values:
        assert detected_sensitivity(body(f"see {value}."), floor)[0] == max(floor, least), kind


def escaped(value: str) -> str:
    """Every character as JSON's own escape."""
    return "".join(f"\\u{ord(character):04x}" for character in value)


@pytest.mark.parametrize(("kind", "value"), [KEYS[1], WITH_CHECKSUM[0], CONTACTS[0]])
def test_escapes_hide_nothing_not_even_in_json_inside_json(kind: str, value: str) -> None:
    once = b'{"content":"' + escaped(value).encode() + b'"}'
    twice = json.dumps({"arguments": once.decode()}).encode()
    behind_a_line_break = json.dumps({"content": f"a\n{value}"}).encode()
    nested_line_break = b'{"arguments":"{\\"x\\":\\"\\u005c\\u006e' + value.encode() + b'\\"}"}'

    for hidden in (once, twice, json.dumps({"x": twice.decode()}).encode(), behind_a_line_break, nested_line_break):
        assert detected_sensitivity(hidden, Sensitivity.PUBLIC)[1] == kind


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"function": {"description": KEYS[1][1]}}]},
        {"messages": [{"tool_calls": [{"function": {"arguments": json.dumps({"k": KEYS[1][1]})}}]}]},
        {"metadata": {KEYS[1][1]: 1}},
        {"x_unknown": [[[KEYS[1][1]]]]},
    ],
)
def test_every_place_of_a_body_counts(fields: dict[str, object]) -> None:
    assert detected_sensitivity(json.dumps(fields).encode(), Sensitivity.PUBLIC)[0] == Sensitivity.RESTRICTED


def test_a_number_that_is_no_string_counts_too() -> None:
    assert detected_sensitivity(b'{"x":4111111111111111}', Sensitivity.PUBLIC)[1] == "card"


def test_a_body_full_of_near_misses_is_taken_for_confidential() -> None:
    near_misses = " ".join(["1234567890123456"] * (MAX_CANDIDATES + 2))

    assert detected_sensitivity(body(near_misses), Sensitivity.PUBLIC) == (
        Sensitivity.CONFIDENTIAL,
        "unchecked_numbers",
    )


ADVERSARIAL = {
    "one long number": "1",
    "cards that miss": "4111 1111 1111 1112 ",
    "groups": "1 2 ",
    "at signs": "a@",
    "mail without an end": "a.",
    "phones": "+1 ",
    "iban starts": "DE89 ",
    "ibans": "DE89370400440532013001",
    "jwt starts": "eyJ",
    "jwt dots": "eyJaaaaaaaa.",
    "key blocks": "-----BEGIN PRIVATE KEY-----",
    "dashes": "-",
    "keys without digits": "sk-abcdefghijklmnopqrst",
    "backslashes": "\\",
    "escapes": "\\u0034",
    "letters": "ABCDEF12",
}


def seconds_to_look(text: str) -> float:
    runs = []
    for _ in range(3):
        started_s = time.process_time()
        redact(text)
        detected_sensitivity(text.encode(), Sensitivity.PUBLIC)
        runs.append(time.process_time() - started_s)
    return min(runs)


@pytest.mark.parametrize("unit", ADVERSARIAL.values(), ids=ADVERSARIAL)
def test_the_cost_grows_with_the_text_and_no_faster(unit: str) -> None:
    small, large = (unit * (size // len(unit)) for size in (20_000, 80_000))

    # Four times the text: a quadratic step would cost 16 times as much.
    assert seconds_to_look(large) < 9 * (seconds_to_look(small) + 0.0005)


def test_random_bytes_of_every_kind_raise_nothing() -> None:
    rng = random.Random(7)
    for _ in range(300):
        noise = rng.randbytes(rng.randint(0, 200))
        detected_sensitivity(noise, Sensitivity.PUBLIC)
        redact(noise.decode("utf-8", "surrogateescape"))
