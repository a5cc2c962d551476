"""Identifiers."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core import derived_call_id, new_call_id

FORM = re.compile(r"call_[0-9a-hjkmnp-tv-z]{26}")


def test_ids_have_one_form_safe_in_headers_and_file_names() -> None:
    assert all(FORM.fullmatch(new_call_id()) for _ in range(1_000))
    assert FORM.fullmatch(derived_call_id("x"))


def test_ids_of_several_threads_are_all_different() -> None:
    with ThreadPoolExecutor(4) as threads:
        batches = list(threads.map(lambda _: [new_call_id() for _ in range(5_000)], range(4)))

    assert len({one for batch in batches for one in batch}) == 20_000


def test_ids_made_later_sort_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a carry into every digit of the milliseconds' base 32."""
    made = []
    for milliseconds in sorted({32**n + step for n in range(9) for step in (-1, 0, 1)}):
        monkeypatch.setattr(time, "time_ns", lambda now=milliseconds: now * 1_000_000)
        made.append(new_call_id())

    assert made == sorted(made)
    assert len({call_id[5:15] for call_id in made}) == len(made)


def test_the_last_sixteen_characters_are_random_and_use_the_whole_alphabet() -> None:
    ids = [new_call_id()[15:] for _ in range(2_000)]

    for place in range(16):
        assert len({one[place] for one in ids}) == 32


def test_a_derived_id_is_the_same_for_the_same_parts_and_no_others() -> None:
    same = derived_call_id("file.jsonl", "7")

    assert derived_call_id("file.jsonl", "7") == same
    assert len({same, derived_call_id("file.jsonl", "8"), derived_call_id("7", "file.jsonl")}) == 3


@given(st.lists(st.text(alphabet="ab7", max_size=4), min_size=1, max_size=4))
def test_where_one_part_ends_and_the_next_begins_counts(parts: list[str]) -> None:
    joined = "".join(parts)

    assert (derived_call_id(*parts) == derived_call_id(joined)) == (parts == [joined])
