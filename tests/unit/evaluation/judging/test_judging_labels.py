"""What a person labelled is never lost, and never bent."""

from pathlib import Path

import pytest

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.judging import Label, load_labels, save_label, shuffle_key

GOOD = Label(case_id="c1", answer="It is\nPâris.", is_good=True, labelled_by="ada", labelled_at_us=1)
BAD = Label(case_id="c2", answer="Lyon", is_good=False)


def test_labels_come_back_as_they_were_given(tmp_path: Path) -> None:
    path = tmp_path / "new" / "labels.jsonl"

    save_label(path, GOOD)
    save_label(path, BAD)

    assert load_labels(path) == [GOOD, BAD]
    assert load_labels(tmp_path / "none.jsonl") == []


def test_a_label_that_is_taken_back_stays_on_disk_and_the_later_one_counts(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    save_label(path, Label(case_id="c1", answer="Lyon", is_good=True))
    save_label(path, Label(case_id="c1", answer="Lyon", is_good=False))
    save_label(path, Label(case_id="c1", answer="Paris", is_good=True))

    assert [(one.answer, one.is_good) for one in load_labels(path)] == [("Lyon", False), ("Paris", True)]
    assert len(path.read_text().splitlines()) == 3


def test_a_file_written_by_hand_without_a_last_line_end_does_not_swallow_the_next_label(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"case_id": "c2", "answer": "Lyon", "is_good": false}')

    save_label(path, GOOD)

    assert load_labels(path) == [BAD, GOOD]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("no json", "malformed"),
        ('{"case_id": "c"}', "missing required field"),
        ('{"case_id": "c", "answer": "a", "is_good": "yes"}', "Expected `bool`"),
        ('{"case_id": "c", "answer": "a", "is_good": true, "note": ""}', "unknown field `note`"),
        ('{"case_id": "c", "answer": "a", "is_go', "truncated"),
    ],
)
def test_a_line_that_is_no_label_is_named_with_file_and_line(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "labels.jsonl"
    save_label(path, GOOD)
    with path.open("a") as file:
        file.write(line + "\n")

    with pytest.raises(ConfigurationError, match=rf"{problem}.*labels\.jsonl:2"):
        load_labels(path)


def test_labels_are_asked_for_in_an_order_of_chance_that_is_always_the_same() -> None:
    order = sorted(map(str, range(100)), key=shuffle_key)

    assert order[:5] == sorted(map(str, range(100)), key=shuffle_key)[:5]
    assert order != sorted(order)
    assert abs(sum(int(one) for one in order[:50]) / 50 - 49.5) < 12  # four standard errors
