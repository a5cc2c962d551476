"""Totals: the roll-ups equal an independent sum, and unknown is not nothing."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.support.control_rig import NOW_US, Rig, call, decided_call, open_rig

from trimtab.control import priced_by
from trimtab.core import US_PER_DAY, CallStatus, Usage
from trimtab.policy import Facts
from trimtab.store import CallFilter


def scattered_calls(seed: int) -> list[object]:
    dice = random.Random(seed)
    return [
        {
            "started_at_us": NOW_US - dice.randrange(40) * US_PER_DAY - dice.randrange(US_PER_DAY),
            "app": dice.choice(("shop", "desk")),
            "workload": dice.choice(("faq", "code", "triage")),
            "model": dice.choice(("local:small", "cloud:large", "gone:model")),
            "status": dice.choice((CallStatus.OK, CallStatus.OK, CallStatus.ERROR)),
            "cost_nano_usd": dice.choice((None, dice.randrange(10**10), dice.randrange(1000))),
            "usage": Usage(input_tokens=dice.randrange(5000), output_tokens=dice.randrange(500)),
        }
        for _ in range(400)
    ]


@pytest.fixture
def either(tmp_path: Path, database_url: str) -> Iterator[Rig]:
    opened = open_rig(tmp_path, database_url)
    yield opened
    opened.database.close()


@pytest.mark.parametrize("app", [None, "shop"])
def test_promise_6_overview_totals_equal_an_independent_sum_over_the_journal(either: Rig, app: str | None) -> None:
    rig = either
    rig.book(*(call(n, **fields) for n, fields in enumerate(scattered_calls(1))))  # type: ignore[arg-type]
    who = rig.operator(app="shop", scopes=("calls:read",)) if app else rig.me

    shown = rig.desk.overview(who)

    with rig.database.reading() as connection:
        rows = connection.execute(text("SELECT app, workload, model, started_at_us, cost_nano_usd FROM calls")).all()
    mine = [row for row in rows if app in (None, row.app)]
    assert shown["totals"].n_calls == len(mine) > 100
    assert shown["totals"].cost_nano_usd == sum(row.cost_nano_usd or 0 for row in mine)
    assert shown["totals"].n_unpriced == sum(row.cost_nano_usd is None for row in mine)
    by_model: Counter[tuple[str, str]] = Counter()
    by_day: Counter[int] = Counter()
    for row in mine:
        by_model[row.workload, row.model] += row.cost_nano_usd or 0
        by_day[row.started_at_us // US_PER_DAY] += row.cost_nano_usd or 0
    assert {(w.workload, m.model): m.cost_nano_usd for w in shown["workloads"] for m in w.models} == by_model
    newest_first = sorted(by_day.items(), reverse=True)
    assert [day.cost_nano_usd for day in shown["days"]] == [cost for _, cost in newest_first]


def test_a_workload_without_a_price_is_unpriced_and_not_free(rig: Rig) -> None:
    rig.book(call(1, cost_nano_usd=None), call(2, workload="mixed", cost_nano_usd=None), call(3, workload="mixed"))

    faq, mixed = sorted(rig.desk.workloads(rig.me), key=lambda row: row.workload)

    assert (faq.cost_nano_usd, faq.cost_usd, faq.n_unpriced) == (None, None, 1)
    assert (mixed.cost_nano_usd, mixed.cost_usd, mixed.n_unpriced) == (1_000_000, "0.001", 1)


def test_a_refused_call_counts_and_has_no_price_to_know(rig: Rig) -> None:
    restricted = Facts(workload="faq", sensitivity=3, n_images=1)
    rig.book(decided_call(1, facts=restricted), call(2))

    (faq,) = rig.desk.workloads(rig.me)
    (day,) = rig.desk.days(rig.me)

    assert {share.model: share.n_calls for share in faq.models} == {"none": 1, "local:small": 1}
    assert (faq.n_unpriced, day.n_unpriced, day.cost_nano_usd) == (0, 0, 1_000_000)


def test_quality_comes_with_interval_and_sample_size(rig: Rig) -> None:
    rig.book(*(call(n, quality_fraction=float(n > 0)) for n in range(4)))

    ((share,),) = [row.models for row in rig.desk.workloads(rig.me)]

    assert share.quality is not None
    assert (share.quality.mean, share.quality.n_samples) == (0.75, 4)
    assert share.quality.lower == pytest.approx(0.3006, abs=1e-4)  # Wilson, 3 of 4, z = 1.96
    assert share.quality.upper == pytest.approx(0.9544, abs=1e-4)


def test_attack_6_an_apps_operator_sees_that_apps_calls_only(rig: Rig) -> None:
    rig.book(call(1, app="shop"), call(2, app="desk"))
    shop = rig.operator(app="shop", scopes=("calls:read",))

    assert [found.app for found in rig.desk.calls(shop, CallFilter(), limit=9)] == ["shop"]
    assert rig.desk.calls(shop, CallFilter(app="desk"), limit=9) == []
    assert [found.app for found in rig.desk.calls(rig.me, CallFilter(app="desk"), limit=9)] == ["desk"]


@pytest.mark.parametrize("wildcard", ["%", "_aq", "f%", "[f]aq", "*", "FAQ"])
def test_attack_14_words_are_compared_whole(rig: Rig, wildcard: str) -> None:
    rig.book(call(1))

    for chosen in (CallFilter(workload=wildcard), CallFilter(model=wildcard), CallFilter(status=wildcard)):
        assert rig.desk.calls(rig.me, chosen, limit=9) == []


def test_attack_14_no_answer_lists_more_than_a_thousand_calls(rig: Rig) -> None:
    rig.book(*(call(n) for n in range(1001)))

    assert len(rig.desk.calls(rig.me, CallFilter(), limit=10**9)) == 1000


def test_the_pool_shows_prices_with_source_and_date(rig: Rig) -> None:
    small, large = rig.desk.models()

    assert (small.model, small.input_usd_per_mtok, small.output_usd_per_mtok) == ("local:small", "1", "2")
    assert (large.price_source, large.price_date) == ("contract: test", None)
    assert priced_by(large) == "contract: test, undated"
