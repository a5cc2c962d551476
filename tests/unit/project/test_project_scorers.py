"""The page of scorers, compared with the registry both ways; its examples score what it says."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trimtab.evaluation import Case, Scorer, ScorerSpec, scorer_for, user_prompt
from trimtab.evaluation.scoring import KINDS
from trimtab.evaluation.scoring.registry import JUDGES

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/scorers.md").read_text()
SECTIONS = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def examples(name: str) -> list[dict[str, Any]]:  # Any: JSON
    block = re.search(r"^```json\n(.*?)^```$", SECTIONS[name], re.MULTILINE | re.DOTALL)
    return [json.loads(line) for line in block[1].splitlines()] if block else []


def scorer_of(example: dict[str, Any]) -> Scorer:  # Any: JSON
    return scorer_for(msgspec.convert(example["scorer"], ScorerSpec))


def test_every_scorer_has_its_section_in_the_registrys_order() -> None:
    assert list(SECTIONS) == [*KINDS, *JUDGES]


def test_the_table_at_the_top_leads_to_every_section() -> None:
    assert re.findall(r"\[`(\w+)`\]\(#\1\)", PAGE) == list(dict.fromkeys(re.findall(r"\]\(#(\w+)\)", PAGE)))
    assert set(re.findall(r"\]\(#(\w+)\)", PAGE)) == set(SECTIONS)


@pytest.mark.parametrize("name", KINDS)
def test_every_option_is_listed_with_its_default(name: str) -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| `?([^|`]+)`? \|", SECTIONS[name], re.MULTILINE))

    fields = msgspec.structs.fields(KINDS[name].options)
    defaults = {field.name: "needed" if field.required else json.dumps(field.default) for field in fields}
    assert listed == defaults
    assert bool(fields) is not ("No options." in SECTIONS[name])


@pytest.mark.parametrize("name", KINDS)
def test_the_section_opens_with_what_the_scorer_says_it_means(name: str) -> None:
    first = examples(name)[0]

    assert first["scorer"]["name"] == name
    assert " ".join(SECTIONS[name].split()).startswith(scorer_of(first).meaning)


@pytest.mark.parametrize("example", [pytest.param(one, id=name) for name in KINDS for one in examples(name)])
def test_every_example_scores_what_the_page_says(example: dict[str, Any]) -> None:  # Any: JSON
    case = Case(case_id="a", messages=user_prompt("?"), expected=example["expected"], stratum="page")

    found = asyncio.run(scorer_of(example).score(case, example["answer"]))

    assert found.value == pytest.approx(example["score"], abs=5e-7)


def test_there_are_two_examples_of_each_scorer() -> None:
    assert {name: len(examples(name)) for name in KINDS} == dict.fromkeys(KINDS, 2)
