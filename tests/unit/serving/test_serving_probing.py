"""The arithmetic of a probe, on timings written by hand."""

import random

import pytest
from tests.support.probes import level

from trimtab.core.errors import ConfigurationError
from trimtab.serving.http import NoAnswer
from trimtab.serving.probing import ProbePlan
from trimtab.serving.probing.arithmetic import (
    Pass,
    decode_speed,
    level_of,
    nearest_rank,
    prefill_speed,
    saturating,
    total_speed,
)
from trimtab.serving.probing.asking import Timed
from trimtab.serving.probing.checks import CHECKS, context_found, judged, refused
from trimtab.serving.probing.plan import Prompts

JSON, TOOLS, LOGPROBS = CHECKS


def call(sent_s: float = 0.0, first_s: float | None = 0.5, last_s: float | None = 2.5, **more: int | None) -> Timed:
    tokens = {"input_tokens": 100, "reported_output_tokens": 41, **more}
    return Timed(
        sent_s=sent_s,
        first_s=first_s,
        last_s=last_s,
        ended_s=(last_s or sent_s) + 0.1,
        n_pieces=40,
        input_tokens=tokens["input_tokens"],
        reported_output_tokens=tokens["reported_output_tokens"],
    )


def answer(**message: object) -> dict[str, object]:
    return {"choices": [{"message": message}]}


def test_decoding_leaves_the_first_token_out() -> None:
    assert decode_speed(call()) == 20.0  # 40 more tokens in 2 s


def test_pieces_are_counted_where_the_server_reports_no_tokens() -> None:
    assert decode_speed(call(reported_output_tokens=None)) == 19.5  # 39 more pieces in 2 s


@pytest.mark.parametrize(
    "short", [call(first_s=None, last_s=None), call(last_s=0.5), call(reported_output_tokens=1)], ids=str
)
def test_one_token_has_no_decoding_speed(short: Timed) -> None:
    assert decode_speed(short) is None


def test_prefill_is_input_by_time_to_first_token() -> None:
    assert prefill_speed(call(sent_s=0.25)) == 400.0  # 100 tokens in 0.25 s
    assert prefill_speed(call(input_tokens=None)) is None
    assert prefill_speed(call(first_s=None, last_s=None)) is None


def test_a_pass_counts_from_the_first_request_to_the_last_end() -> None:
    both = Pass((call(), call(sent_s=0.1, first_s=1.0, last_s=3.9)))

    assert total_speed(both) == pytest.approx(82 / 4.0)
    assert total_speed(Pass((), n_failed=2)) is None


def test_a_level_takes_medians_over_calls_and_passes() -> None:
    slow, quick = call(first_s=1.0, last_s=5.0), call()  # 10 and 20 tokens/s
    measured = level_of(1, [Pass((quick,)), Pass((slow,)), Pass((quick,)), Pass((), n_failed=1)])

    assert (measured.n_calls, measured.n_failed, measured.n_passes) == (3, 1, 4)
    assert (measured.ttft_p50_ms, measured.ttft_p95_ms) == (500.0, 1000.0)
    assert measured.call_output_tokens_per_s == 20.0
    assert measured.output_tokens_per_s == pytest.approx(41 / 2.6)


def test_a_level_of_failures_has_no_figures() -> None:
    measured = level_of(4, [Pass((), n_failed=4)])

    assert (measured.n_calls, measured.n_failed) == (0, 4)
    assert measured.ttft_p50_ms is measured.ttft_p95_ms is measured.output_tokens_per_s is None


def test_p95_is_the_nearest_rank() -> None:
    assert nearest_rank([float(value) for value in range(100, 0, -1)], 0.95) == 95.0
    assert nearest_rank([7.0], 0.95) == 7.0
    assert nearest_rank([], 0.95) is None


def test_saturation_is_the_least_concurrency_near_the_best_total() -> None:
    assert saturating([level(1, 50.0), level(2, 96.0), level(4, 100.0), level(8, 99.0)]) == 2
    assert saturating([level(1, 50.0), level(2, 90.0), level(4, 100.0)]) is None  # 8 might be better still
    assert saturating([level(1, 50.0)]) is None
    assert saturating([level(1, None)]) is None


def test_every_concurrency_has_twenty_calls_and_three_passes() -> None:
    plan = ProbePlan(concurrencies=(16, 1, 4, 4))

    assert plan.concurrencies == (1, 4, 16)
    assert [plan.n_passes(each) for each in plan.concurrencies] == [20, 5, 3]
    assert plan.n_timed == 20 + 20 + 48
    assert plan.estimated_output_tokens == 88 * 32 + 5 * 400


@pytest.mark.parametrize("concurrencies", [(), (0,), (1, 257)])
def test_a_concurrency_that_cannot_be_is_refused(concurrencies: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match="cannot be tried"):
        ProbePlan(concurrencies=concurrencies)


def test_calls_longer_than_the_context_are_refused_before_they_are_sent() -> None:
    plan = ProbePlan(input_tokens=500, output_tokens=20)

    assert plan.fitted(520) is plan
    assert plan.fitted(None) is plan
    with pytest.raises(ConfigurationError, match="does not fit into a context of 512"):
        plan.fitted(512)


def test_prompts_are_fitted_to_the_servers_count_and_share_no_beginning() -> None:
    prompts = Prompts(random.Random(7))
    for n_chars, n_tokens in ((20, 30), (420, 230)):  # 20 tokens of template and instruction, half a token a character
        prompts.learn(prompts.of_chars(n_chars), n_tokens)

    first, second = prompts.of_tokens(220), prompts.of_tokens(220)

    assert len(first.split("\n")[0]) == pytest.approx(400, abs=1)
    assert first[:12] != second[:12]


def test_json_is_judged_by_its_schema() -> None:
    assert judged(JSON, answer(content='{"colour": "red", "is_warm": true}')).holds
    for wrong in ('{"colour": "pink", "is_warm": true}', '{"colour": "red"}', "red", "", "[1]"):
        assert judged(JSON, answer(content=wrong)).holds is False, wrong
    assert judged(JSON, {"choices": []}).reason == "the answer is no chat completion"


def test_a_tool_call_needs_its_name_and_its_arguments() -> None:
    def calling(name: str, arguments: str) -> dict[str, object]:
        return answer(tool_calls=[{"function": {"name": name, "arguments": arguments}}])

    assert judged(TOOLS, calling("get_weather", '{"city": "Paris"}')).holds
    assert judged(TOOLS, calling("get_time", '{"city": "Paris"}')).holds is False
    assert judged(TOOLS, calling("get_weather", "Paris")).holds is False
    assert judged(TOOLS, calling("get_weather", "{}")).holds is False
    assert judged(TOOLS, answer(content="Sunny.")).reason == "the answer called no tool"


def test_log_probabilities_have_to_be_there() -> None:
    assert judged(LOGPROBS, {"choices": [{"logprobs": {"content": [{"token": "y", "logprob": -0.1}]}}]}).holds
    assert judged(LOGPROBS, {"choices": [{"logprobs": None}]}).holds is False


def test_what_an_engine_refuses_it_cannot_do_and_a_lost_connection_shows_nothing() -> None:
    assert refused(TOOLS, NoAnswer("tools need --jinja", status=500)).holds is False
    assert refused(TOOLS, NoAnswer("slow down", status=429)).holds is None
    assert refused(TOOLS, NoAnswer("no connection")).holds is None


def test_a_context_is_verified_by_what_fits_and_what_does_not() -> None:
    verified = context_found(512, 460, None, NoAnswer("too long", status=400))
    assert (verified.accepted_tokens, verified.is_refused_above) == (460, True)

    cut = context_found(512, 460, None, 500)
    assert cut.is_refused_above is False
    assert "cut without a word" in cut.reason

    more = context_found(512, 460, None, 640)
    assert "more fits than is declared" in more.reason

    failed = context_found(512, None, NoAnswer("out of memory", status=500), None)
    assert (failed.accepted_tokens, failed.is_refused_above) == (None, None)
