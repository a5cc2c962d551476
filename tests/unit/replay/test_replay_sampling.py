"""A sample of calls: fixed by its seed, spread as asked, and what is left out is counted."""

from hypothesis import given
from hypothesis import strategies as st
from tests.support.store_rig import call

from trimtab.core import CallRecord, Sensitivity
from trimtab.replay.sampling import SampleChoice, Window, allocate


def public(**fields: object) -> CallRecord:
    return call(**{"sensitivity": Sensitivity.PUBLIC, **fields})


def window(choice: SampleChoice, *calls: CallRecord) -> Window:
    made = Window(choice)
    for each in calls:
        made.add(each)
    return made


def test_the_same_seed_draws_the_same_calls_in_any_order() -> None:
    calls = [public() for _ in range(200)]
    choice = SampleChoice(n_cases=20, seed=1)

    drawn = window(choice, *calls).drawn("faq")[:20]

    assert drawn == window(choice, *reversed(calls)).drawn("faq")[:20]
    assert drawn != window(SampleChoice(n_cases=20, seed=2), *calls).drawn("faq")[:20]


def test_what_cannot_become_a_case_is_counted_and_still_is_traffic() -> None:
    choice = SampleChoice(n_cases=5, baseline="p:large")
    left = {
        "calls that were not answered": public(model="p:large", status="error"),
        "calls above the chosen sensitivity": call(model="p:large", sensitivity=Sensitivity.CONFIDENTIAL),
        "calls whose content was not kept": public(model="p:large", store_mode="metadata"),
        "calls that the baseline did not answer": public(model="p:small"),
        "calls that offer tools": public(model="p:large", n_tools=1),
        "calls whose answer was cut at its limit of tokens": public(model="p:large", finish_reason="length"),
    }

    made = window(choice, public(model="p:large"), *left.values(), public(api="embeddings"), public(model=None))

    assert made.left_out == dict.fromkeys(left, 1)
    assert made.traffic == {"faq": 7}
    assert made.candidates == {"faq": 1}


def test_cases_are_spread_by_traffic_or_equally() -> None:
    calls = [public(workload="big") for _ in range(90)] + [public(workload="small") for _ in range(10)]

    assert window(SampleChoice(n_cases=20), *calls).sizes() == {"big": 18, "small": 2}
    assert window(SampleChoice(n_cases=20, allocation="equal"), *calls).sizes() == {"big": 10, "small": 10}


def test_strata_are_workloads_classes_or_task_types() -> None:
    one = public(workload="w", workload_class="routine", task_type="math")

    for by, stratum in (("workload", "w"), ("class", "routine"), ("task_type", "math")):
        assert window(SampleChoice(n_cases=1, by=by), one).sizes() == {stratum: 1}  # type: ignore[arg-type]  # each of the three


@given(
    st.integers(0, 60),
    st.dictionaries(st.sampled_from("abcde"), st.tuples(st.floats(0.001, 1), st.integers(1, 20)), min_size=1),
)
def test_an_allocation_spreads_what_is_there_and_never_more(n: int, strata: dict[str, tuple[float, int]]) -> None:
    weights = {name: weight for name, (weight, _) in strata.items()}
    available = {name: there for name, (_, there) in strata.items()}

    sizes = allocate(n, weights, available)

    assert sum(sizes.values()) == min(n, sum(available.values()))
    assert all(size <= available[name] for name, size in sizes.items())
    assert n < len(strata) or all(sizes.values())
