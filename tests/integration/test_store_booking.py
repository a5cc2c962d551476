"""What one transaction of calls leaves behind."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.store_rig import (
    DAY,
    NOON_US,
    assert_sums_equal_rows,
    call,
    count,
    entry,
    rollup,
    rows,
    spent,
)

from trimtab.core import US_PER_DAY, JournalEntry, StoreMode
from trimtab.store import CallFilter, CallReader, Database, Importer, Ledger, RowRefused, open_database
from trimtab.store.partitions import existing_days

ROOT = Path(__file__).resolve().parents[2]
CARD = b'{"text": "My card is 4111 1111 1111 1111."}'


def test_a_batch_booked_again_changes_nothing(database: Database) -> None:
    ledger = Ledger(database)
    batch = [entry(decision=b'{"rule_ids":["cheap"]}', decision_digest="d1") for _ in range(3)]

    assert ledger.book(batch, worker="w") == (3, 0)
    before = rollup(database, "day"), rows(database, "spend_day")
    assert ledger.book([*batch, batch[0]], worker="w") == (0, 4)

    assert (rollup(database, "day"), rows(database, "spend_day")) == before
    assert count(database, "calls") == 3


def test_a_call_twice_in_one_batch_is_one_call(database: Database) -> None:
    twice = entry()

    assert Ledger(database).book([twice, twice]) == (1, 1)
    assert_sums_equal_rows(database)


def test_roll_ups_equal_independent_sums_to_the_nano_dollar(database: Database) -> None:
    pick = random.Random(7)
    batches = [
        [
            entry(
                started_at_us=NOON_US + pick.randrange(-3 * US_PER_DAY, 3 * US_PER_DAY),
                workload=pick.choice(["faq", "code"]),
                model=pick.choice(["p:small", "p:large", None]),
                app=pick.choice(["shop", "desk"]),
                status=pick.choice(["ok", "error", "refused"]),
                cost_nano_usd=pick.choice([None, 0, 1, pick.randrange(10**10)]),
                latency_ms=pick.choice([None, 0.0, pick.random() * 1e5]),
                input_tokens=pick.choice([None, pick.randrange(10**6)]),
            )
            for _ in range(200)
        ]
        for _ in range(3)
    ]

    for batch in batches:
        Ledger(database).book(batch)

    assert_sums_equal_rows(database)
    cost = sum(e.call.cost_nano_usd or 0 for batch in batches for e in batch)
    assert sum(n for key, n in rollup(database, "day").items() if key[-1] == "cost_nano_usd") == cost


def test_a_call_comes_back_as_it_was_recorded(database: Database) -> None:
    whole = entry(
        b'{"rule_ids":[]}',
        b"asked",
        b"said",
        conversation_id="c",
        prompt_id="p",
        rule_id="r",
        policy_version="v",
        decision_digest="d",
        error_code="e",
        is_stream=True,
        is_recorded=True,
        propensity=0.25,
        ttft_ms=1.001,
        quality_fraction=0.5,
        finish_reason="stop",
        n_tools=2,
        store_mode=StoreMode.FULL,
    )

    Ledger(database).book([whole])

    assert CallReader(database).find(whole.call.call_id) == whole


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        (StoreMode.FULL, CARD),
        (StoreMode.REDACTED, b'{"text": "My card is [REDACTED:card]."}'),
        (StoreMode.METADATA, None),
    ],
)
def test_bodies_are_kept_as_the_mode_says(database: Database, mode: StoreMode, kept: bytes | None) -> None:
    sent = entry(request=CARD, response=CARD, store_mode=mode)

    Ledger(database).book([sent])

    found = CallReader(database).find(sent.call.call_id)
    assert found is not None
    assert (found.request_body, found.response_body) == (kept, kept)
    assert count(database, "bodies") == (kept is not None)


def test_bodies_are_redacted_unless_the_policy_says_otherwise(database: Database) -> None:
    sent = entry(request=CARD)

    Ledger(database).book([sent])

    found = CallReader(database).find(sent.call.call_id)
    assert found is not None
    assert b"4111" not in (found.request_body or b"")


def test_a_body_that_cannot_be_redacted_is_not_kept(database: Database) -> None:
    def broken(body: bytes) -> bytes:
        raise RecursionError("too deep")

    sent = entry(request=CARD)
    Ledger(database, broken).book([sent])

    assert (count(database, "calls"), count(database, "bodies")) == (1, 0)


def test_a_call_without_a_record_counts_and_leaves_none(database: Database) -> None:
    silent = entry(b'{"rule_ids":["cheap"]}', CARD, CARD, decision_digest="d", store_mode=StoreMode.NONE)

    assert Ledger(database).book([silent], worker="w") == (1, 0)

    assert [count(database, table) for table in ("calls", "bodies", "decisions")] == [0, 0, 0]
    assert rollup(database, "day")[DAY, "faq", "p:small", "shop", "ok", "gateway", "cost_nano_usd"] == 1500
    assert spent(database, "rule:cheap") == 1500


def test_a_decision_is_stored_once_with_the_newest_day_it_came(database: Database) -> None:
    days = [NOON_US, NOON_US + US_PER_DAY, NOON_US - US_PER_DAY]
    for at_us in days:
        Ledger(database).book([entry(b"{}", decision_digest="d", started_at_us=at_us)])

    assert [(row["digest"], row["day"]) for row in rows(database, "decisions")] == [("d", DAY + 1)]


def test_spend_is_booked_to_every_scope_with_a_budget(database: Database) -> None:
    decision = b'{"rule_ids":["cheap","organisation","workload:faq","builtin:mode"]}'
    Ledger(database).book([entry(decision, decision_digest="d"), entry(decision_digest="d")], worker="w")

    scopes = {row["scope"]: row["nano_usd"] for row in rows(database, "spend_day")}

    assert scopes.pop("rule:organisation") == 3000  # a rule may have that name; a scope of it is never asked for
    names = ("organisation", "app:shop", "workload:faq", "key:key_1", "rule:cheap")
    assert scopes == dict.fromkeys(names, 3000)


def test_a_rules_spend_is_known_from_the_stored_decision(database: Database) -> None:
    Ledger(database).book([entry(b'{"rule_ids":["cheap"]}', decision_digest="d")], worker="w")
    Ledger(database).book([entry(decision_digest="d")], worker="other")  # a new process, which was not given it

    assert spent(database, "rule:cheap") == 3000


def test_imported_calls_spend_nobodys_budget(database: Database) -> None:
    Importer(database).add_many([entry(source="import:csv")])

    assert rows(database, "spend_day") == []


def test_an_import_knows_a_call_under_another_day_too(database: Database) -> None:
    first = call(source="import:csv")
    again = call(source="import:csv", call_id=first.call_id, started_at_us=NOON_US + 5 * US_PER_DAY)

    added = [Importer(database).add_many([JournalEntry(call=made)]) for made in (first, again)]

    assert added == [(1, 0), (0, 1)]


def test_text_that_no_database_holds_is_stored_with_replacements(database: Database) -> None:
    odd = entry(workload="a\x00b", app="half \ud800", requested_model="\U0001f600 ü")

    Ledger(database).book([odd], worker="w")

    found = CallReader(database).find(odd.call.call_id)
    assert found is not None
    assert (found.call.workload, found.call.app) == ("a\ufffdb", "half \ufffd")
    assert found.call.requested_model == "\U0001f600 ü"
    assert_sums_equal_rows(database)
    assert spent(database, "workload:a\ufffdb") == 1500


@pytest.mark.parametrize(
    "fields",
    [
        {"latency_ms": float("nan")},
        {"latency_ms": float("inf")},
        {"quality_fraction": float("nan")},
        {"propensity": float("inf")},
        {"cost_nano_usd": 2**63},
        {"input_tokens": 2**31},
        {"started_at_us": 2**60},
        {"http_status": 2**31},
    ],
)
def test_a_row_that_can_never_be_stored_is_refused_with_its_whole_batch(
    database: Database, fields: dict[str, Any]
) -> None:
    good, bad = entry(), entry(**fields)

    with pytest.raises(RowRefused):
        Ledger(database).book([good, bad])

    assert count(database, "calls") == count(database, "rollup_day") == 0


def test_the_largest_numbers_add_up_exactly(database: Database) -> None:
    Ledger(database).book([entry(cost_nano_usd=2**53 - i, input_tokens=2**31 - 1) for i in range(3)])

    assert_sums_equal_rows(database)
    assert CallReader(database).totals(CallFilter())[0].cost_nano_usd == 3 * 2**53 - 3


@pytest.mark.postgres
def test_a_day_is_booked_after_another_process_dropped_it(postgres: Database) -> None:
    ledger = Ledger(postgres)
    ledger.book([entry()])
    with postgres.writing() as connection:
        connection.execute(text("DROP TABLE calls_d20000"))
        connection.execute(text("DROP TABLE bodies_d20000"))

    assert ledger.book([entry()]) == (1, 0)
    with postgres.reading() as connection:
        assert existing_days(connection) == [DAY]


def test_calls_before_1970_and_far_ahead_have_a_place(database: Database) -> None:
    Ledger(database).book([entry(started_at_us=-US_PER_DAY - 1), entry(started_at_us=NOON_US + 4000 * US_PER_DAY)])

    assert sorted(row["day"] for row in rows(database, "calls")) == [-2, DAY + 4000]
    assert_sums_equal_rows(database)


BOOK = """
import sys
from tests.support.store_rig import entry
from trimtab.store import Ledger, open_database
database = open_database(sys.argv[1])
for batch in range(20):
    Ledger(database).book([entry(call_id=f"call_{sys.argv[2]}_{batch}_{i}") for i in range(25)], worker=sys.argv[2])
database.close()
"""


def test_four_processes_that_book_at_once_lose_and_double_nothing(database_url: str, database: Database) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", BOOK, database_url, f"w{i}"], stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        for i in range(4)
    ]
    failures = [worker.communicate(timeout=120)[1] for worker in workers]

    assert [worker.returncode for worker in workers] == [0] * 4, failures
    assert count(database, "calls") == 2000
    assert_sums_equal_rows(database)
    assert spent(database, "organisation") == 2000 * 1500


def test_a_reader_sees_one_moment(database_url: str, database: Database) -> None:
    Ledger(database).book([entry()])
    other = open_database(database_url)
    with database.reading() as connection:
        counted = text("SELECT count(*) FROM calls")
        before = connection.execute(counted).scalar_one()
        Ledger(other).book([entry()])
        assert connection.execute(counted).scalar_one() == before == 1
    other.close()
