"""Fingerprints, shapes and conversations: what makes two calls look alike."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core import Api
from trimtab.core.errors import InvalidRequest
from trimtab.core.messages import WireRequest
from trimtab.workloads import CallHints, conversation_id_of, fingerprint
from trimtab.workloads.fingerprints import FINGERPRINT_CHARACTERS
from trimtab.workloads.shapes import shape_of

PROMPT = "Today is {}. You help customers of the shop.  Answer in at most {} words."


def test_dates_numbers_case_and_white_space_do_not_change_a_fingerprint() -> None:
    variants = [
        PROMPT.format("Monday, 23 November 2026, 09:15 am", 50),
        PROMPT.format("2026-11-24", 100),
        PROMPT.format("Tue 24 Nov", 7).upper(),
        PROMPT.format("550e8400-e29b-41d4-a716-446655440000", 1).replace(" ", "\n\t"),
    ]

    assert len({fingerprint(variant) for variant in variants}) == 1


@pytest.mark.parametrize("other", ["", "You help customers of the shop.", PROMPT.format("x", 1), "You may help."])
def test_other_words_give_another_fingerprint(other: str) -> None:
    assert fingerprint(other) != fingerprint(PROMPT.format("Monday", 50))


def test_what_follows_the_instructions_does_not_count() -> None:
    head = "word " * (FINGERPRINT_CHARACTERS // 5)

    assert fingerprint(head + "one document") == fingerprint(head + "quite another document")


@given(st.text())
def test_a_fingerprint_has_twelve_hex_digits_whatever_the_text(text: str) -> None:
    digits = fingerprint(text)

    assert len(digits) == 12
    assert int(digits, 16) >= 0
    assert fingerprint(f"  {text}\n") == digits or len(text) > FINGERPRINT_CHARACTERS - 3


def chat(*turns: tuple[str, object], **fields: Any) -> WireRequest:  # Any: JSON values
    messages = [{"role": role, "content": content} for role, content in turns]
    return WireRequest(Api.CHAT_COMPLETIONS, json.dumps({"model": "auto", "messages": messages, **fields}).encode())


@pytest.mark.parametrize(("limit", "bucket"), [(1, 1), (2, 2), (3, 4), (1_000, 1_024), (1_024, 1_024), (1_025, 2_048)])
def test_counts_are_rounded_up_to_powers_of_two(limit: int, bucket: int) -> None:
    assert shape_of(chat(("user", "x"), max_tokens=limit)).max_output_tokens == bucket


@given(st.integers(0, 5_000))
def test_the_estimate_of_input_is_never_rounded_down(n_characters: int) -> None:
    read = chat(("user", "x" * n_characters))
    n_tokens = shape_of(read).input_tokens

    assert len(read.body) // 4 <= n_tokens < 2 * (len(read.body) // 4)
    assert n_tokens & (n_tokens - 1) == 0


def test_a_shape_counts_what_it_says() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    shape = shape_of(chat(("system", "s"), ("user", [picture, picture]), tools=[{}], n=2))

    assert (shape.n_messages, shape.n_images, shape.n_tools, shape.n_choices) == (2, 2, 1, 2)
    assert (shape.json_mode, shape.max_output_tokens, shape.language) == (None, None, "unknown")


def conversation(read: WireRequest, app: str = "shop", name: str | None = None) -> str | None:
    return conversation_id_of(read, CallHints(app=app, conversation=name, policy_sensitivity=lambda _: None))


FIRST = (("system", "Be brief."), ("user", "Hello"))
LATER = (*FIRST, ("assistant", "Hi."), ("user", "And now?"))


def test_later_turns_share_one_conversation_and_a_single_turn_has_none() -> None:
    assert conversation(chat(*FIRST)) is None
    assert conversation(chat(*LATER)) == conversation(chat(*LATER, ("assistant", "So."), ("user", "Go on")))


@pytest.mark.parametrize(
    ("turns", "app"),
    [
        ((("system", "Be long."), *LATER[1:]), "shop"),
        ((LATER[0], ("user", "Another start"), *LATER[2:]), "shop"),
        (LATER, "bank"),
    ],
)
def test_other_instructions_questions_or_apps_are_other_conversations(
    turns: tuple[tuple[str, object], ...], app: str
) -> None:
    assert conversation(chat(*turns), app) != conversation(chat(*LATER))


def test_the_callers_own_name_wins_and_embeddings_have_no_conversation() -> None:
    embedding = WireRequest(Api.EMBEDDINGS, b'{"model":"auto","input":"x"}')

    assert conversation(chat(*LATER), name="c-1") == "c-1"
    assert conversation(embedding) is None


@pytest.mark.parametrize("name", ["", "a b", "a\r\nb", "ü", "x" * 129, "\x7f"])
def test_a_name_unfit_for_a_header_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="x-trimtab-conversation"):
        conversation(chat(*FIRST), name=name)


def test_a_conversations_name_shows_nothing_of_its_content() -> None:
    name = conversation(chat(("user", "my secret"), ("assistant", "ok"), ("user", "go")))

    assert name is not None
    assert name.startswith("conv_")
    assert len(name) == 29
    assert int(name[5:], 16) >= 0
