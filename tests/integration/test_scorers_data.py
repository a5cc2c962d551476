"""Scorers against real answers that others have graded, where the data is beside the checkout."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from trimtab.evaluation import Case, ScorerSpec, scorer_for, user_prompt

DATA = Path(__file__).parents[3] / "shared/data/routing/zeroeval/train.parquet"
CUT_AT = 60
"""Answers in the data end here, and the number with them."""

pytestmark = pytest.mark.shared


async def test_numeric_grades_recorded_answers_as_their_source_did() -> None:
    scorer = scorer_for(ScorerSpec(name="numeric"))

    agreed: Counter[bool] = Counter()
    for rows in by_prompt().values():
        right = Counter(row["answer"] for row in rows if row["score"] == 1)
        if not right:
            continue
        case = Case(case_id="a", messages=user_prompt("?"), expected=right.most_common(1)[0][0], stratum="gsm8k")
        for row in rows:
            agreed[(await scorer.score(case, row["answer"])).value == row["score"]] += 1

    # The expected number is the one that most right answers give. What is left names another number after the answer.
    assert agreed.total() > 27_000
    assert agreed[True] / agreed.total() > 0.9995


def by_prompt() -> dict[str, list[dict[str, Any]]]:  # Any: a row
    if not DATA.exists():
        pytest.skip(f"no outcome data at {DATA}")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(DATA, columns=["prompt_id", "dataset", "score", "answer"])
    found = defaultdict(list)
    for row in table.to_pylist():
        if row["dataset"] == "gsm8k" and row["answer"] is not None and len(row["answer"]) < CUT_AT:
            found[row["prompt_id"]].append(row)
    return found
