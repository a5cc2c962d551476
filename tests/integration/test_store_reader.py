"""What is read back: one call, the newest, all of them, sums, and everything recorded for one prompt."""

from itertools import pairwise
from typing import Any

import pytest
from tests.support.store_rig import DAY, NOON_US, entry, ids, sums_over

from trimtab.core import US_PER_DAY, CallRecord, Feedback, StoreMode
from trimtab.store import CallFilter, CallReader, Database, FeedbackStore, Ledger
from trimtab.store import reader as reader_module
from trimtab.store import rows as rows_module
from trimtab.store.tables import bodies, calls

ALL = CallFilter()


@pytest.fixture
def reader(database: Database) -> CallReader:
    return CallReader(database)


def test_an_unknown_call_is_none(reader: CallReader) -> None:
    assert reader.find("call_nobody") is None
    assert reader.find("\x00'; DROP TABLE calls; --") is None


def test_the_newest_come_first_and_equal_times_have_one_order(database: Database, reader: CallReader) -> None:
    made = [entry(started_at_us=NOON_US + second) for second in (0, 2, 2, 1)]
    Ledger(database).book(made)

    newest = [call.call_id for call in reader.newest(ALL, 3)]

    assert newest == [ids(made)[2], ids(made)[1], ids(made)[3]]


@pytest.mark.parametrize(
    ("filter", "n"),
    [
        (CallFilter(workload="faq"), 2),
        (CallFilter(model="p:large"), 1),
        (CallFilter(status="error"), 1),
        (CallFilter(app="desk"), 1),
        (CallFilter(source="import:csv"), 1),
        (CallFilter(since_us=NOON_US + 1), 2),
        (CallFilter(until_us=NOON_US + 1), 1),
        (CallFilter(workload="faq", status="error"), 1),
        (CallFilter(workload="nothing"), 0),
    ],
)
def test_every_condition_holds(database: Database, reader: CallReader, filter: CallFilter, n: int) -> None:
    Ledger(database).book(
        [
            entry(started_at_us=NOON_US, source="import:csv"),
            entry(started_at_us=NOON_US + 1, model="p:large", status="error"),
            entry(started_at_us=NOON_US + 2, workload="code", app="desk"),
        ]
    )

    assert len(reader.newest(filter, 10)) == n
    assert len(list(reader.stream(filter, bodies=False))) == n
    assert sum(map(len, reader.recorded_prompts(filter))) == n


@pytest.mark.parametrize("pattern", ["%", "_aq", "f%", "fa?", "[f]aq", "' OR 1=1 --", "FAQ"])
def test_attack_14_a_pattern_in_a_filter_is_just_another_name(
    database: Database, reader: CallReader, pattern: str
) -> None:
    Ledger(database).book([entry()])
    for field in ("workload", "model", "app", "status", "source"):
        conditions: dict[str, Any] = {field: pattern}
        filter = CallFilter(**conditions)
        assert reader.newest(filter, 10) == []
        assert reader.totals(filter) == []
        assert list(reader.stream(filter, bodies=True)) == []


def test_a_stream_yields_every_call_once_and_in_order_over_many_pages(
    database: Database, reader: CallReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "PAGE_ROWS", 7)
    made = [entry(started_at_us=NOON_US + number // 5) for number in range(50)]  # five share each instant
    Ledger(database).book(made)

    found = [e.call for e in reader.stream(ALL, bodies=False)]

    assert [call.call_id for call in found] == ids(made)
    assert all(earlier.started_at_us <= later.started_at_us for earlier, later in pairwise(found))


def test_a_stream_brings_decisions_and_where_asked_bodies(
    database: Database, reader: CallReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "PAGE_ROWS_WITH_BODIES", 2)
    made = [
        entry(b"{}", b"asked", b"said", decision_digest="d", store_mode=StoreMode.FULL),
        *(entry(None, None, b"only said", decision_digest="d", store_mode=StoreMode.FULL) for _ in range(4)),
        entry(),
    ]
    Ledger(database).book(made)

    bare = list(reader.stream(ALL, bodies=False))
    whole = list(reader.stream(ALL, bodies=True))

    assert [(e.decision, e.request_body) for e in bare] == [(b"{}", None)] * 5 + [(None, None)]
    assert [e.response_body for e in whole] == [b"said", *[b"only said"] * 4, None]


def test_a_slow_reader_holds_up_no_writer(database: Database, reader: CallReader) -> None:
    Ledger(database).book([entry() for _ in range(3)])
    stream = reader.stream(ALL, bodies=False)
    next(stream)

    with database.writing() as connection:
        for table in (calls, bodies):
            table.drop(connection)  # needs every reader gone


def test_totals_equal_independent_sums(database: Database, reader: CallReader) -> None:
    made = [
        entry(workload=w, model=m, status=s, cost_nano_usd=c, started_at_us=NOON_US + d * US_PER_DAY)
        for w, m, s, c, d in [
            ("faq", "p:small", "ok", 10, 0),
            ("faq", "p:small", "error", None, 1),
            ("faq", None, "refused", None, 1),
            ("code", "p:large", "ok", 7, 2),
        ]
    ]
    Ledger(database).book(made)

    totals = [(t.workload, t.model, t.n_calls, t.n_unpriced, t.cost_nano_usd, t.n_errors) for t in reader.totals(ALL)]
    days = [(d.day, d.n_calls, d.cost_nano_usd, d.n_errors) for d in reader.by_day(ALL)]

    assert totals == [
        ("code", "p:large", 1, 0, 7, 0),
        ("faq", None, 1, 1, 0, 0),
        ("faq", "p:small", 2, 1, 10, 1),
    ]
    assert days == [(DAY, 1, 10, 0), (DAY + 1, 2, 0, 1), (DAY + 2, 1, 7, 0)]


def test_totals_count_the_whole_days_that_a_span_touches(database: Database, reader: CallReader) -> None:
    Ledger(database).book([entry(started_at_us=(DAY + day) * US_PER_DAY + 5) for day in range(3)])

    middle = CallFilter(since_us=(DAY + 1) * US_PER_DAY + 100, until_us=(DAY + 2) * US_PER_DAY)

    assert [d.day for d in reader.by_day(middle)] == [DAY + 1]


def test_totals_of_no_model_can_be_asked_for(database: Database, reader: CallReader) -> None:
    Ledger(database).book([entry(model=None, status="refused"), entry()])

    assert [t.n_calls for t in reader.totals(CallFilter(model=""))] == [1]


def test_a_day_of_sums_needs_no_rows(database: Database, reader: CallReader) -> None:
    Ledger(database).book([entry(store_mode=StoreMode.NONE) for _ in range(4)])

    assert [t.n_calls for t in reader.totals(ALL)] == [4]
    assert reader.newest(ALL, 10) == []


def test_quality_sums_merge_what_came_with_calls_and_what_was_said_later(
    database: Database, reader: CallReader
) -> None:
    made = [entry(quality_fraction=0.5), entry(quality_fraction=1.0), entry(), entry(model=None, quality_fraction=1.0)]
    Ledger(database).book(made)
    said = Feedback(call_id=ids(made)[2], at_us=NOON_US, source="user", score_fraction=0.25)
    FeedbackStore(database).add(said, "shop")

    (sums,) = reader.quality_sums()

    assert (sums.workload, sums.model, sums.n) == ("faq", "p:small", 3)
    assert (sums.total, sums.total_of_squares) == (1.75, 0.25 + 1.0 + 0.0625)


def test_all_calls_of_a_prompt_come_together_and_others_alone(
    database: Database, reader: CallReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "PAGE_ROWS", 3)
    prompts = ["b", "a", None, "b", "a", None, "b", "a", "a"]
    Ledger(database).book([entry(b"{}", decision_digest="d", prompt_id=prompt) for prompt in prompts])

    groups = list(reader.recorded_prompts(ALL))

    assert [[call.prompt_id for call, _ in group] for group in groups] == [["a"] * 4, ["b"] * 3, [None], [None]]
    assert all(decision == b"{}" for group in groups for _, decision in group)


def test_a_prompt_that_never_ends_comes_in_parts(
    database: Database, reader: CallReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "MAX_PROMPT_CALLS", 4)
    Ledger(database).book([entry(prompt_id="ping") for _ in range(10)])

    assert [len(group) for group in reader.recorded_prompts(ALL)] == [4, 4, 2]


def test_latency_samples_are_the_newest_answered_gateway_calls(database: Database, reader: CallReader) -> None:
    Ledger(database).book(
        [
            entry(latency_ms=1.0, ttft_ms=0.5),
            entry(latency_ms=2.0),
            entry(latency_ms=3.0, output_tokens=None),
            entry(latency_ms=9.0, status="error"),
            entry(latency_ms=9.0, source="import:csv"),
            entry(latency_ms=None),
            entry(latency_ms=4.0, model="p:large"),
        ]
    )

    samples = reader.latency_samples(2)

    assert samples == {"p:small": [(3.0, None, None), (2.0, None, 20)], "p:large": [(4.0, None, 20)]}


def test_feedback_comes_back_the_oldest_first(database: Database, reader: CallReader) -> None:
    made = entry()
    Ledger(database).book([made])
    said = [
        Feedback(call_id=made.call.call_id, at_us=at_us, source="user", key_id=key, score_fraction=1.0, comment="ü")
        for at_us, key in ((2, None), (1, "key_1"))
    ]
    for one in said:
        assert FeedbackStore(database).add(one, "shop")

    assert reader.feedback_of(made.call.call_id) == [said[1], said[0]]


def test_a_decision_is_found_by_its_digest(database: Database, reader: CallReader) -> None:
    Ledger(database).book([entry(b'{"model":"m"}', decision_digest="d")])

    assert (reader.decision("d"), reader.decision("e")) == (b'{"model":"m"}', None)


def test_a_long_read_forgets_decisions_it_no_longer_needs(
    database: Database, reader: CallReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "_KEPT_DECISIONS", 4)
    monkeypatch.setattr(reader_module, "PAGE_ROWS", 3)
    made = [entry(b"%d" % (number % 9), decision_digest=f"d{number % 9}") for number in range(40)]
    Ledger(database).book(made)

    assert [e.decision for e in reader.stream(ALL, bodies=False)] == [e.decision for e in made]


def test_a_damaged_body_is_an_error_and_not_an_empty_answer() -> None:
    packed = rows_module.pack(b"whole") or b""
    with pytest.raises(ValueError, match="damaged"):
        rows_module.unpack(packed[:-1])


def test_independent_sums_are_sums() -> None:
    row = {"started_at_us": NOON_US, "workload": "w", "model": None, "app": "a", "status": "ok", "source": "s"}
    row |= {"cost_nano_usd": 3, "latency_us": None, "input_tokens": 1, "output_tokens": 2}
    key = (DAY, "w", "", "a", "ok", "s")

    counted = sums_over([row, row], "day")

    assert counted[(*key, "n_calls")] == 2
    assert counted[(*key, "cost_nano_usd")] == 6
    assert CallRecord(call_id="x", started_at_us=0).model is None
