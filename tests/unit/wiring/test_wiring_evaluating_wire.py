"""Answers are read whole or not at all: a cut stream, an error inside one and a refusal are failures, never texts."""

import json

import pytest

from trimtab.catalog import ModelCard, Pool, PriceBook, PriceConfig
from trimtab.core.errors import RateLimited, UpstreamError
from trimtab.evaluation import Answer, user_prompt
from trimtab.wiring.evaluating import Arrived, Sampling, read_answer
from trimtab.wiring.evaluating.wire import chat_body

POOL = Pool.of([ModelCard(provider="p", model="m", energy_wh_per_mtok=500_000.0)])
PRICES = PriceBook({"p:m": PriceConfig.model_validate({"input_usd_per_mtok": "1", "output_usd_per_mtok": "2"})})
USAGE = {"prompt_tokens": 10, "completion_tokens": 4}
SSE = {"content-type": "text/event-stream"}


def arrived(body: bytes, status: int = 200, **headers: str) -> Arrived:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Arrived(status=status, headers=named, body=body, latency_ms=20.0, ttft_ms=5.0, at_us=1_700_000_000_000_000)


def read(body: bytes, status: int = 200, **headers: str) -> Answer:
    return read_answer(arrived(body, status, **headers), "p:m", POOL, PRICES)


def event(**chunk: object) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def piece(text: str | None, finish: str | None = None) -> bytes:
    return event(choices=[{"delta": {"content": text}, "finish_reason": finish}])


def whole(**choice: object) -> bytes:
    return json.dumps({"choices": [{"message": {"content": "four"}, **choice}], "usage": USAGE}).encode()


STREAM = piece("fo") + piece("ur") + piece(None, "stop") + event(choices=[], usage=USAGE) + b"data: [DONE]\n\n"


def test_a_whole_answer_has_text_tokens_cost_and_energy_and_no_first_token() -> None:
    found = read(whole(finish_reason="length"), x_trimtab_model="p:m", x_trimtab_call_id="call_1")

    # 10 input tokens at $1 and 4 output tokens at $2 a million; half a watt-hour a token.
    assert (found.text, found.input_tokens, found.output_tokens, found.cost_nano_usd) == ("four", 10, 4, 18_000)
    assert (found.energy_wh, found.ttft_ms, found.latency_ms) == (2.0, None, 20.0)
    assert (found.finish_reason, found.model, found.call_id) == ("length", "p:m", "call_1")


def test_a_stream_is_put_together_and_shows_when_it_began() -> None:
    found = read(STREAM, content_type="text/event-stream; charset=utf-8")

    assert (found.text, found.output_tokens, found.finish_reason, found.ttft_ms) == ("four", 4, "stop", 5.0)
    assert found.cost_nano_usd == 18_000


def test_the_gateways_own_figure_of_the_cost_counts_before_ours() -> None:
    assert read(whole(), x_trimtab_cost_usd="0.000001").cost_nano_usd == 1000


def test_what_is_not_reported_is_unknown_and_not_0() -> None:
    found = read_answer(arrived(b'{"choices": [{"message": {"content": null}}]}'), "other", POOL, PRICES)

    assert found == Answer(text="", latency_ms=20.0)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (piece("fo"), "was cut"),
        (b"", "was cut"),
        (piece("fo") + event(error={"message": "overloaded"}) + b"data: [DONE]\n\n", "ended with an error"),
        (b"data: {nonsense}\n\n", "no chat completion"),
    ],
    ids=["cut", "empty", "error", "nonsense"],
)
def test_a_stream_that_is_not_whole_is_a_failure_that_may_pass(body: bytes, message: str) -> None:
    with pytest.raises(UpstreamError, match=message) as caught:
        read(body, content_type="text/event-stream")

    assert caught.value.status is None


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"choices": []}', b"\xff"])
def test_what_is_no_chat_completion_is_no_answer(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        read(body)


def test_a_refusal_keeps_its_status_and_how_long_to_wait() -> None:
    with pytest.raises(UpstreamError) as refused:
        read(b"{}", status=503)
    with pytest.raises(RateLimited) as limited:
        read(b"{}", status=429, retry_after="7")

    assert refused.value.status == 503
    assert limited.value.retry_after_s == 7.0


def test_a_request_says_what_is_set_and_leaves_the_rest_to_the_model() -> None:
    bare = json.loads(chat_body("p:m", user_prompt("2 + 2"), Sampling(temperature=None, is_stream=False)))
    full = json.loads(chat_body("p:m", user_prompt("2 + 2"), Sampling(), seed=3, limit_field="max_completion_tokens"))

    assert bare == {"model": "p:m", "messages": [{"role": "user", "content": "2 + 2"}], "max_tokens": 256}
    assert (full["seed"], full["temperature"], full["max_completion_tokens"]) == (3, 0.0, 256)
    assert (full["stream"], full["stream_options"]) == (True, {"include_usage": True})
