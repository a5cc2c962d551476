"""One judgement for each call, source and key; the sums follow."""

import threading
import time
from pathlib import Path

import pytest
from tests.support.store_rig import NOON_US, entry, rows

from trimtab.core import Feedback, StoreMode
from trimtab.store import Database, FeedbackStore, Journal, Ledger
from trimtab.store import feedback as feedback_module


def judgement(call_id: str, score: float, **fields: str) -> Feedback:
    return Feedback(call_id=call_id, at_us=NOON_US, source=fields.pop("source", "user"), score_fraction=score, **fields)


def sums(database: Database) -> dict[str, tuple[int, float, float]]:
    return {row["source"]: (row["n"], row["total"], row["total_of_squares"]) for row in rows(database, "quality_sums")}


@pytest.fixture
def call_id(database: Database) -> str:
    made = entry()
    Ledger(database).book([made])
    return made.call.call_id


def test_a_second_judgement_of_the_same_key_replaces_the_first(database: Database, call_id: str) -> None:
    store = FeedbackStore(database)
    for score in (0.25, 1.0, 0.5):
        assert store.add(judgement(call_id, score, key_id="key_1"), "shop")

    assert [row["score_fraction"] for row in rows(database, "feedback")] == [0.5]
    assert sums(database) == {"user": (1, 0.5, 0.25)}


def test_other_keys_and_sources_judge_for_themselves(database: Database, call_id: str) -> None:
    store = FeedbackStore(database)
    store.add(judgement(call_id, 1.0, key_id="key_1"), "shop")
    store.add(judgement(call_id, 0.0, key_id="key_2"), "shop")
    store.add(judgement(call_id, 0.5, source="judge"), "shop")

    assert sums(database) == {"user": (2, 1.0, 1.0), "judge": (1, 0.5, 0.25)}


def test_attack_25_feedback_on_another_apps_or_nobodys_call_leaves_no_row(
    database: Database, call_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_module, "WAIT_S", 0.05)
    store = FeedbackStore(database)

    assert not store.add(judgement(call_id, 1.0), "other")
    assert not store.add(judgement("call_nobody", 1.0), "shop")
    assert (rows(database, "feedback"), sums(database)) == ([], {})


def test_a_call_that_waits_in_the_journal_is_waited_for(database: Database, tmp_path: Path) -> None:
    journal = Journal(database, tmp_path / "spool", worker="w", flush_ms=300)
    made = entry()
    journal.record(made)

    assert FeedbackStore(database).add(judgement(made.call.call_id, 1.0), "shop")
    journal.close()


def test_invented_ids_hold_up_only_two_threads(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback_module, "WAIT_S", 1.0)
    store = FeedbackStore(database)
    waiting = [threading.Thread(target=store.add, args=(judgement("call_x", 1.0), "shop")) for _ in range(2)]
    for thread in waiting:
        thread.start()
    time.sleep(0.2)

    started_s = time.monotonic()
    assert not store.add(judgement("call_y", 1.0), "shop")
    assert time.monotonic() - started_s < 0.5
    for thread in waiting:
        thread.join()


def test_a_call_that_nobody_answered_can_be_judged_and_grades_no_model(database: Database) -> None:
    made = entry(model=None, status="refused")
    Ledger(database).book([made])

    assert FeedbackStore(database).add(judgement(made.call.call_id, 0.0), "shop")
    assert sums(database) == {}


def test_a_call_without_a_record_cannot_be_judged(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback_module, "WAIT_S", 0.05)
    made = entry(store_mode=StoreMode.NONE)
    Ledger(database).book([made])

    assert not FeedbackStore(database).add(judgement(made.call.call_id, 1.0), "shop")


@pytest.mark.parametrize("score", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_score_outside_0_to_1_never_reaches_the_sums(database: Database, call_id: str, score: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        FeedbackStore(database).add(judgement(call_id, score), "shop")

    assert sums(database) == {}


def test_keys_that_judge_at_once_are_all_counted(database: Database, call_id: str) -> None:
    store = FeedbackStore(database)
    threads = [
        threading.Thread(target=store.add, args=(judgement(call_id, 1.0, key_id=f"key_{i}"), "shop")) for i in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sums(database) == {"user": (12, 12.0, 12.0)}
