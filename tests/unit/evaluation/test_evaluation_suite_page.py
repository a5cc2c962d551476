"""The page of the suite format lists what the code reads, and its example is one."""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from trimtab.evaluation import Message, Plan, ScorerSpec, read_suite
from trimtab.evaluation.case import Role
from trimtab.evaluation.suite_file import _Head, _Line
from trimtab.ingest.suites import MAPPED_KEYS, OUTCOME_FIELDS, TABLE_FIELDS

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/suite-format.md").read_text()


def rows(heading: str, nth: int = 0) -> dict[str, str]:
    """Return the rows of a table under a heading, the rest of each by its first cell."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = re.split(r"\n\| Field .*\n\| --- .*\n", section)[1 + nth].split("\n\n")[0]
    cells = [line.strip("| ").split(" | ") for line in table.strip().splitlines()]
    return {first.strip("`"): " | ".join(rest) for first, *rest in cells}


@pytest.mark.parametrize(
    ("heading", "kind"),
    [("First line", _Head), ("Plan", Plan), ("Case", _Line), ("Message", Message), ("Scorer", ScorerSpec)],
)
def test_every_field_is_listed_and_nothing_else(heading: str, kind: type[msgspec.Struct]) -> None:
    fields = msgspec.structs.fields(kind)
    listed = rows(heading)

    assert list(listed) == [field.name for field in fields]
    needed = {name for name, rest in listed.items() if rest.endswith("needed")}
    assert needed == {field.name for field in fields if field.required}


def test_defaults_of_the_plan_are_those_of_the_code() -> None:
    listed, plan = rows("Plan"), Plan()

    assert listed["scorer"].endswith(f'`{{"name": "{plan.scorer.name}"}}`')
    for name in ("margin", "alpha", "judge_floor"):
        assert listed[name].endswith(f"`{getattr(plan, name)}`")


def test_every_role_is_listed() -> None:
    assert re.findall(r"`(\w+)`", rows("Message")["role"]) == list(get_args(Role))


def test_every_column_that_a_table_may_have_is_listed() -> None:
    listed = rows("What an import reads")

    assert list(listed) == list(TABLE_FIELDS)
    for field, columns in TABLE_FIELDS.items():
        assert [name for name in re.findall(r"`([\w]+)`", listed[field]) if name in columns] == list(columns)


def test_what_can_be_mapped_is_listed() -> None:
    from_inspect = rows("What an import reads", 1)
    outcomes = PAGE.split("Recorded outcomes (`--from outcomes`)")[1]

    assert {name for name, rest in from_inspect.items() if "--map" in rest} == set(MAPPED_KEYS)
    assert set(re.findall(r"`(\w+)`", outcomes)) >= set(OUTCOME_FIELDS)


def test_the_example_is_a_suite(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text(PAGE.split('```json title="office.jsonl"\n')[1].split("```")[0])

    assert read_suite(tmp_path / "s.jsonl").required().strata == ("reasoning", "routine")
