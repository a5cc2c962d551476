"""A suite drawn from a real journal: masked, judged, and with the mix of the whole window in its plan."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.store_rig import entry

from trimtab.core import Feedback, JournalEntry, Sensitivity
from trimtab.evaluation import Message, Plan, Suite
from trimtab.replay import JournalSuite, SampleChoice, draw_suite
from trimtab.store import CallFilter, CallReader, Database, FeedbackStore, Importer, open_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 't.db'}")
    yield database
    database.close()


def asked(question: str, answer: str = "yes", **fields: object) -> JournalEntry:
    request = {"model": "m", "messages": [{"role": "user", "content": question}]}
    response = {"choices": [{"message": {"role": "assistant", "content": answer}}]}
    known: dict[str, Any] = {"sensitivity": Sensitivity.PUBLIC, "store_mode": "full", **fields}
    return entry(request=json.dumps(request).encode(), response=json.dumps(response).encode(), **known)


def drawn(
    database: Database, *entries: JournalEntry, filter: CallFilter | None = None, **choice: object
) -> JournalSuite:
    Importer(database).add_many(entries)
    chosen = SampleChoice(**{"n_cases": 100, **choice})  # type: ignore[arg-type]  # fields of several types
    return draw_suite(CallReader(database), filter or CallFilter(), chosen, name="s", version="1", plan=Plan())


def suite_of(found: JournalSuite) -> Suite:
    return found.reading.required()


def test_s14_the_mix_of_the_whole_window_goes_into_the_plan_and_not_that_of_the_sample(database: Database) -> None:
    routine = [asked(f"routine {n}?", workload_class="routine") for n in range(90)]
    hard = [asked(f"hard {n}?", workload_class="reasoning") for n in range(10)]

    suite = suite_of(drawn(database, *routine, *hard, n_cases=20, by="class", allocation="equal"))

    assert [sum(case.stratum == stratum for case in suite.cases) for stratum in suite.strata] == [10, 10]
    assert suite.plan.traffic == {"reasoning": 0.1, "routine": 0.9}


def test_s14_traffic_that_no_case_stands_for_is_named(database: Database) -> None:
    kept = [asked(f"{n}?", workload="kept") for n in range(6)]
    lost = [asked(f"{n}?", workload="lost", store_mode="metadata") for n in range(4)]

    found = drawn(database, *kept, *lost)

    assert found.uncovered == {"lost": 0.4}
    assert suite_of(found).plan.traffic == {"kept": 1.0}
    assert found.left_out == {"calls whose content was not kept": 4}


def test_identifiers_and_keys_are_masked_in_question_and_answer(database: Database) -> None:
    secret = "sk-" + "a1" * 12
    one = asked(
        f"Write to jane.doe@example.org with {secret}", "Sent to jane.doe@example.org", conversation_id="jane@x.org"
    )

    found = drawn(database, one)

    (case,) = suite_of(found).cases
    assert case.messages == (Message(role="user", content="Write to [REDACTED:email] with [REDACTED:api_key]"),)
    assert case.expected == "Sent to [REDACTED:email]"
    assert case.cluster is not None
    assert "jane" not in case.cluster
    assert found.n_masked == 1


def test_calls_above_the_chosen_sensitivity_stay_in_the_journal_and_are_counted(database: Database) -> None:
    levels = [asked(f"{level}?", sensitivity=level) for level in Sensitivity]

    found = drawn(database, *levels, max_sensitivity=Sensitivity.INTERNAL)

    assert sorted(case.messages[0].content for case in suite_of(found).cases) == ["0?", "1?"]
    assert found.left_out == {"calls above the chosen sensitivity": 2}


def test_an_answer_judged_wrong_is_expected_of_nobody_and_one_judged_good_is_marked(database: Database) -> None:
    good, bad, unjudged, scored = asked("a?"), asked("b?"), asked("c?"), asked("d?", quality_fraction=0.0)
    Importer(database).add_many([good, bad])
    for each, score in ((good, 1.0), (bad, 0.0)):
        judged = Feedback(call_id=each.call.call_id, at_us=1, source="user", score_fraction=score)
        assert FeedbackStore(database).add(judged, "shop")

    found = drawn(database, unjudged, scored)

    assert {case.messages[0].content: case.tags for case in suite_of(found).cases} == {
        "a?": ("expected:judged",),
        "c?": ("expected:recorded",),
    }
    assert found.left_out == {"calls whose answer was judged wrong": 2}


def test_the_baselines_answer_is_expected_where_one_is_named(database: Database) -> None:
    calls = [asked("a?", "small says", model="p:small"), asked("a?", "large says", model="p:large")]

    (case,) = suite_of(drawn(database, *calls, baseline="p:large")).cases

    assert case.expected == "large says"


def test_a_question_that_comes_again_is_one_case_and_counts_as_traffic(database: Database) -> None:
    found = drawn(database, *[asked("same?") for _ in range(5)], asked("other?"))

    assert len(suite_of(found).cases) == 2
    assert found.left_out == {"calls that ask the same as another case": 4}
    assert found.wanted == {"faq": 6}


def test_conversations_of_both_wire_forms_become_turns_and_what_is_not_text_is_left_out(database: Database) -> None:
    system = [{"type": "text", "text": "Brief."}]
    anthropic = {"model": "m", "max_tokens": 5, "system": system, "messages": [{"role": "user", "content": "x?"}]}
    picture = {"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}
    said = b'{"content": [{"type": "text", "text": "y"}]}'
    known: dict[str, Any] = {"sensitivity": Sensitivity.PUBLIC, "store_mode": "full"}
    entries = [
        entry(request=json.dumps(anthropic).encode(), response=said, api="messages", **known),
        entry(request=json.dumps(picture).encode(), response=b'{"choices": []}', **known),
        entry(request=b"{", response=b"{}", **known),
        asked("no text?", ""),
    ]

    found = drawn(database, *entries)

    (case,) = suite_of(found).cases
    assert case.messages == (Message(role="system", content="Brief."), Message(role="user", content="x?"))
    assert found.left_out == {"calls that are not plain text": 2, "calls whose answer has no text": 1}


def test_the_window_is_what_the_filter_says(database: Database) -> None:
    entries = [asked("a?", workload="one"), asked("b?", workload="two")]

    found = drawn(database, *entries, filter=CallFilter(workload="two"))

    assert (found.n_calls, suite_of(found).strata) == (1, ("two",))


def test_an_empty_window_makes_no_suite(database: Database) -> None:
    found = drawn(database)

    assert (found.reading.suite, found.n_calls, found.traffic) == (None, 0, {})
