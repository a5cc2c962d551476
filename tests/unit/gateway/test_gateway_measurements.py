"""Rolling latency."""

import msgspec
from tests.support.probes import probed

from trimtab.gateway import Measurements, Speed


def test_p95_is_the_nearest_rank() -> None:
    measured = Measurements()
    for value in range(1, 101):
        measured.observe("m", total_ms=float(value), ttft_ms=None, output_tokens=None)
    assert measured.speed("m").total_p95_ms == 95.0  # 95 of 100 values are at or below it
    assert measured.speed("m").n_samples == 100


def test_output_speed_counts_the_time_after_the_first_chunk() -> None:
    measured = Measurements()
    measured.observe("m", total_ms=1_100.0, ttft_ms=100.0, output_tokens=50)
    assert measured.speed("m").output_tokens_per_s == 50.0


def test_the_journals_figures_hold_until_this_process_has_twenty_calls() -> None:
    seed = Speed(10.0, 20.0, 30.0, 500)
    measured = Measurements({"m": seed})
    for _ in range(19):
        measured.observe("m", total_ms=1.0, ttft_ms=None, output_tokens=None)
    assert measured.speed("m") == seed
    measured.observe("m", total_ms=1.0, ttft_ms=None, output_tokens=None)
    assert measured.speed("m").total_p95_ms == 1.0


def test_a_probe_stands_in_until_there_are_twenty_calls() -> None:
    measured = Measurements({"m": Speed(10.0, 20.0, 30.0, 19)}, {"m": probed("m")})

    assert measured.speed("m") == Speed(
        80.0, None, 50.0, 20, "2026-11-02"
    )  # the least concurrency, without the whole call
    assert measured.speed("other") == Speed(None, None, None, 0)
    for _ in range(20):
        measured.observe("m", total_ms=1.0, ttft_ms=1.0, output_tokens=None)
    assert measured.speed("m").ttft_p95_ms == 1.0
    assert measured.speed("m").probe_day is None


def test_twenty_calls_of_the_journal_are_better_than_a_probe() -> None:
    seed = Speed(10.0, 20.0, 30.0, 20)

    assert Measurements({"m": seed}, {"m": probed("m")}).speed("m") == seed


def test_a_new_probe_takes_the_place_of_the_one_before() -> None:
    measured = Measurements(probes={"m": probed("m")})
    measured.take_probes({})

    assert measured.speed("m") == Speed(None, None, None, 0)


def test_a_probe_without_a_first_token_says_nothing() -> None:
    silent = msgspec.structs.replace(probed("m"), levels=())

    assert Measurements(probes={"m": silent}).speed("m") == Speed(None, None, None, 0)


def test_an_unmeasured_model_has_no_figures() -> None:
    assert Measurements().speed("m") == Speed(None, None, None, 0)
