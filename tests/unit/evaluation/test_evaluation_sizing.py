"""How many cases a plan takes, before anything is paid for."""

import msgspec
import pytest
from tests.support.evaluation import suite_of

from trimtab.evaluation import Plan, stratum_sizes
from trimtab.stats.power import pairs_for_noninferiority


def test_each_stratum_is_measured_by_the_margin_of_the_plan() -> None:
    suite = suite_of({"hard": 30, "routine": 70})
    suite = msgspec.structs.replace(
        suite, plan=Plan(margin=0.05, protected=("hard",), traffic={"routine": 0.9, "hard": 0.1})
    )

    hard, routine = stratum_sizes(suite, discordance=0.1)

    assert (hard.stratum, hard.n_cases, hard.share, hard.traffic_share) == ("hard", 30, 0.3, 0.1)
    assert (hard.is_protected, routine.is_protected) == (True, False)
    assert hard.n_needed == routine.n_needed == pairs_for_noninferiority(discordance=0.1, margin=0.05) == 248
    assert hard.power < routine.power < 0.8


def test_a_stratum_of_the_needed_size_has_the_planned_power() -> None:
    (size,) = stratum_sizes(suite_of({"a": 1546}))  # margin 2 points, discordance 10 %

    assert (size.n_needed, round(size.power, 3)) == (1546, 0.8)
    assert (size.traffic_share, size.is_protected) == (None, True)


def test_an_impossible_discordance_is_refused() -> None:
    with pytest.raises(ValueError, match="discordance"):
        stratum_sizes(suite_of({"a": 1}), discordance=1.5)
