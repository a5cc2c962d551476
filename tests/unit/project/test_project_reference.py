"""Reference pages that people write, compared with the code they list."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from trimtab.core import Api, CallStatus, CostSource, StoreMode, Usage
from trimtab.gateway.metrics import LATENCY_BUCKETS, Metrics
from trimtab.policy import load_policy
from trimtab.wiring import Settings
from trimtab.workloads import SECRET_KINDS, MatchRule, TaskType, WorkloadConfig, numbers
from trimtab.workloads.tasks import CLASS_OF_TASK

DOCS = Path(__file__).resolve().parents[3] / "docs"
METRICS = (DOCS / "reference/metrics.md").read_text()
WORKLOADS = (DOCS / "reference/workloads.md").read_text()
MONEY = (DOCS / "explanation/money.md").read_text()


def rows(page: str, first: str) -> list[list[str]]:
    """Return the cells of the table whose first column has this heading, backquotes kept."""
    table = page.split(f"\n| {first} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def counted() -> dict[str, tuple[str, set[str]]]:
    """Return kind and labels of every metric that a worker has counted something of."""
    metrics = Metrics()
    metrics.call("chat_completions", "w", "p:m", "ok", 0.1)
    metrics.usage("w", "p:m", Usage(input_tokens=1, output_tokens=1), None)
    metrics.usage("w", "p:m", Usage(input_tokens=1, output_tokens=1), 1)
    metrics.attempt("p:m", "ok")
    metrics.reject("rate_limited")
    metrics.show_engines({"local": (True, 0)})
    metrics.render()  # counts what waits
    found = {}
    for family in metrics.registry.collect():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[family.name + ("_total" if family.type == "counter" else "")] = (family.type, labels)
    return found


def test_every_metric_is_listed_with_its_kind_and_labels() -> None:
    listed = {names(metric)[0]: (kind, set(names(labels))) for metric, kind, labels, _ in rows(METRICS, "Metric")}

    assert listed == counted()


def test_every_label_and_what_closed_ones_can_be_is_listed() -> None:
    listed = {names(label)[0]: names(values) for label, values in rows(METRICS, "Label")}

    assert set(listed) == set().union(*(labels for _, labels in counted().values()))
    assert listed["api"] == list(Api)
    assert listed["status"] == list(CallStatus)
    doubled = [0.01 * 2**step for step in range(14)]
    assert pytest.approx(doubled) == LATENCY_BUCKETS
    assert f"doubling to {doubled[-1]:g} seconds" in METRICS


def test_every_key_of_a_match_rule_is_listed() -> None:
    listed = [key for cell, *_ in rows(WORKLOADS, "Key") for key in names(cell)]

    assert listed == list(MatchRule.model_fields)


def test_every_task_type_is_listed_with_its_class() -> None:
    listed = {names(task)[0]: names(group)[0] for task, _, group in rows(WORKLOADS, "Task type")}

    assert listed == {task: CLASS_OF_TASK.get(task, "unknown") for task in get_args(TaskType)}


def test_every_kind_that_the_detectors_know_is_listed_with_its_level() -> None:
    forms = [*(form for forms in numbers._DIGIT_FORMS.values() for form in forms), *numbers._LETTER_FORMS]
    levels = {kind: "confidential" for kind in ("email", "phone", "iban", *(form.kind for form in forms))}

    listed = {kind: level for cell, _, level in rows(WORKLOADS, "Kind") for kind in names(cell)}

    assert listed == levels | dict.fromkeys(SECRET_KINDS, "restricted")


def test_the_example_of_workloads_is_accepted() -> None:
    example = yaml.safe_load(WORKLOADS.split("```yaml\n")[1].split("```")[0])

    assert [WorkloadConfig.model_validate(one).name for one in example["workloads"]] == [
        "contracts",
        "invoices",
        "agents",
    ]


def test_every_source_of_a_cost_is_explained() -> None:
    assert {names(source)[0] for source, _ in rows(MONEY, "Source")} == set(CostSource)


def test_every_store_mode_is_explained() -> None:
    page = (DOCS / "how-to/keep-less.md").read_text()

    assert {names(mode)[0] for mode, *_ in rows(page, "`store`")} == set(StoreMode)


def titled(name: str) -> list[tuple[str, str]]:
    """Return the blocks of all pages that are files of that name, with the page."""
    block = re.compile(rf'^```yaml title="[^"]*{re.escape(name)}"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
    return [(page.stem, text) for page in sorted(DOCS.rglob("*.md")) for text in block.findall(page.read_text())]


@pytest.mark.parametrize(("page", "text"), titled("trimtab.yaml"), ids=lambda value: str(value)[:30])
def test_every_configuration_on_a_page_is_accepted(page: str, text: str) -> None:
    assert Settings.model_validate(yaml.safe_load(text)).models, page


@pytest.mark.parametrize(("page", "text"), titled("policy.yaml"), ids=lambda value: str(value)[:30])
def test_every_policy_on_a_page_is_accepted(page: str, text: str) -> None:
    assert load_policy(text, origin=page).name
