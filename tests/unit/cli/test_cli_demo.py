import pytest

from trimtab.cli.demo_report import print_compared, print_rungs
from trimtab.evaluation import GateOutcome, StratumVerdict
from trimtab.lab import Compared, Rungs
from trimtab.routing import Estimate


def about(mean: float, half: float, *, n: int = 400) -> Estimate:
    return Estimate(mean=mean, lower=mean - half, upper=mean + half, n_samples=n)


def rungs(outcome: GateOutcome, **changes: object) -> Rungs:
    shrink = StratumVerdict(
        stratum="ticket-triage",
        outcome=outcome,
        reason="it loses less than 2.0%: 0.990 vs 0.992",
        n_pairs=400,
        difference=-0.002,
        lower=-0.01,
        upper=0.006,
    )
    fields = {
        "workload": "ticket-triage",
        "quality_bar": 0.9,
        "n_pairs": 400,
        "large": about(0.99, 0.005),
        "small": about(0.988, 0.006),
        "headroom": about(0.004, 0.003),
        "shrink": shrink,
        "gap": about(-0.088, 0.006),
        "gap_state": "met",
        "is_moved": outcome is GateOutcome.PASS,
        "verdict": "SMALL_DEFAULT_SUFFICIENT",
        "next_step": "the small model becomes the default",
    }
    return Rungs(**(fields | changes))  # type: ignore[arg-type]  # a test's shorthand


def compared(**changes: object) -> Compared:
    fields = {
        "n_calls": 400,
        "n_moved": 200,
        "today_nano_usd": 400 * 40,
        "cost_nano_usd": 400 * 10,
        "saved_nano_usd": about(30, 4),
        "quality_today": about(0.9, 0.03),
        "quality": about(0.895, 0.03),
        "quality_difference": about(-0.005, 0.008),
    }
    return Compared(**(fields | changes))  # type: ignore[arg-type]  # a test's shorthand


def test_a_workloads_walk_names_each_rung_with_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    print_rungs(rungs(GateOutcome.PASS))

    assert (
        capsys.readouterr().out
        == """\
ticket-triage: SMALL_DEFAULT_SUFFICIENT
  Measure baseline 0.990 [0.985, 0.995], n = 400
  Route   a perfect router would add 0.004 [0.001, 0.007] to the best single model
  Shrink  pass: it loses less than 2.0%
  Gap     none: the bar of 0.9 is met
  So      the small model becomes the default
"""
    )


def test_what_these_rungs_do_not_decide_gets_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    print_rungs(rungs(GateOutcome.FAIL, verdict=None, gap=about(0.3, 0.05), gap_state="left", next_step="stays"))

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ticket-triage: stays on the large model, a gap is left"
    assert "  Gap     0.300 [0.250, 0.350] to the bar of 0.9 is left" in lines


def test_a_workload_that_nobody_measured_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_rungs(rungs(GateOutcome.FAIL, shrink=None, headroom=None, verdict="MEASURE_FIRST", next_step="stays"))

    assert capsys.readouterr().out.splitlines()[:2] == [
        "ticket-triage: MEASURE_FIRST",
        "  Measure no graded answer of the large model",
    ]


def test_savings_stand_beside_quality_n_and_whose_prices_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    # 30 of 40 nano-dollars saved a call, 26 to 34: 75 % [65, 85].
    print_compared(["ticket-triage"], None, compared())

    assert (
        capsys.readouterr().out
        == """\
Proven                   Saved                Quality               Quality vs today           n  Moved
measured, fresh prompts  75.0 % [65.0, 85.0]  0.895 [0.865, 0.925]  -0.005 [-0.013, +0.003]  400    200
Moved to the small model: ticket-triage.
Paired by prompt, 95 % intervals. Where the small model served fresh prompts, the large one was
asked them too, as evaluation; savings are at the lab's prices.
"""
    )


def test_nobody_saves_more_than_all_of_todays_cost(capsys: pytest.CaptureFixture[str]) -> None:
    print_compared(["w"], None, compared(saved_nano_usd=about(30, 20)))

    assert "75.0 % [25.0, 100.0]" in capsys.readouterr().out


def test_no_move_saves_nothing_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_compared([], compared(saved_nano_usd=about(0, 0)), None)

    assert "it saves nothing" in capsys.readouterr().out
