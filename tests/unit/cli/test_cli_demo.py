from trimtab.cli.demo_report import _saved
from trimtab.cli.demo_run import choose
from trimtab.replay import Result
from trimtab.routing import Estimate


def _result(name: str, cost_nano_usd: int, difference: Estimate | None) -> Result:
    return Result(
        name=name,
        kind="policy",
        n_calls=10,
        n_refused=0,
        n_unchanged=0,
        n_compared=10,
        cost_nano_usd=cost_nano_usd,
        n_unpriced=0,
        n_repriced=0,
        quality=None,
        n_ungraded=0,
        latency_ms=None,
        calls_by_model={},
        cost_difference_nano_usd=None,
        quality_difference=difference,
    )


def _about(mean: float, half: float) -> Estimate:
    return Estimate(mean=mean, lower=mean - half, upper=mean + half, n_samples=10)


def test_the_cheapest_policy_proven_to_lose_little_is_chosen() -> None:
    cheap, fair, dear = (
        _result("cheap", 10, _about(-0.030, 0.005)),
        _result("fair", 20, _about(-0.005, 0.010)),
        _result("dear", 90, _about(0.000, 0.001)),
    )

    assert choose([cheap, fair, dear]).name == "fair"


def test_without_proof_the_policy_that_loses_least_is_chosen() -> None:
    ungraded, much, little = (
        _result("ungraded", 1, None),
        _result("much", 10, _about(-0.2, 0.3)),
        _result("little", 90, _about(-0.1, 0.3)),
    )

    assert choose([ungraded, much, little]).name == "little"


def test_a_saving_is_a_share_of_todays_cost_and_at_most_all_of_it() -> None:
    # 30 of 40 saved, 26 to 50 with 95 % confidence: 65 % to 125 %, of which 100 % is possible
    assert _saved(40, Estimate(mean=30, lower=26, upper=50, n_samples=9)) == "75.0 % [65.0, 100.0]"
    assert _saved(0, None) == "not measured"
