"""The reference page lists everything there is, and its example works."""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from trimtab.catalog import Pool
from trimtab.policy import BUILTINS, load_policy, run_policy_tests
from trimtab.policy import lint as lint_module
from trimtab.policy.cel_rules import FUNCTIONS
from trimtab.policy.document import (
    BudgetTerm,
    Document,
    Expectation,
    LatencyTerm,
    ModelLists,
    PinTerm,
    Requirements,
    Rule,
    Terms,
)
from trimtab.policy.expression import Operator
from trimtab.policy.fields import FIELDS
from trimtab.policy.scopes import DEFAULT, REQUESTED, REQUESTED_MODE

PAGE = (Path(__file__).parents[3] / "docs/reference/policy.md").read_text()

NESTED: dict[str, type[BaseModel]] = {
    "models": ModelLists,
    "require": Requirements,
    "pin": PinTerm,
    "latency": LatencyTerm,
    "budget": BudgetTerm,
}


def names() -> list[str]:
    terms = [f"{term}.{key}" for term, part in NESTED.items() for key in part.model_fields]
    terms += [term for term in Terms.model_fields if term not in NESTED]
    keys = [key for part in (Document, Rule, Expectation) for key in part.model_fields]
    codes = re.findall(r'code="([a-z-]+)"', Path(lint_module.__file__).read_text())
    built_in = [*BUILTINS, DEFAULT, REQUESTED, REQUESTED_MODE]
    return sorted({*terms, *keys, *codes, *built_in, *get_args(Operator), *FIELDS, *FUNCTIONS})


@pytest.mark.parametrize("name", names())
def test_the_reference_lists_every_name(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_the_example_loads_and_passes_its_own_test(pool: Pool) -> None:
    example = PAGE.split("```yaml\n")[1].split("```")[0]
    policy = load_policy(example, origin="policy.md")

    assert [outcome.message for outcome in run_policy_tests(policy, pool)] == [""]
