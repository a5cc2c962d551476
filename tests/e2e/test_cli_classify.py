"""`trimtab workloads classify`: what a request is, before anybody sends it."""

import json
from pathlib import Path

import pytest
from tests.support.cli import Cli, command_line

CONFIG = """
workloads:
  - name: invoices
    task_type: extraction
    sensitivity: confidential
    match: [{system_prefix: "You read invoices"}]
"""


def request(system: str, user: str) -> str:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return json.dumps({"model": "auto", "messages": messages})


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    cli = command_line(tmp_path, monkeypatch, capsys)
    Path("trimtab.yaml").write_text(CONFIG)
    return cli


def test_a_request_that_a_rule_takes_says_which_rule(cli: Cli) -> None:
    Path("r.json").write_text(request("You read invoices.", "Total of this one?"))

    found = cli("workloads", "classify", "r.json", "--json").json()

    assert (found["workload"], found["task_type"], found["sensitivity"]) == ("invoices", "extraction", "confidential")
    assert found["reasons"][0] == "Rule invoices.match[0] fits."


def test_a_request_that_no_rule_takes_names_the_fingerprint_that_would(cli: Cli) -> None:
    Path("r.json").write_text(request("You sort mail.", "Hello"))
    said = cli("workloads", "classify", "r.json").out
    fingerprint = said.split("system_fingerprint: ")[1].split("`")[0]
    Path("trimtab.yaml").write_text(f"workloads: [{{name: mail, match: [{{system_fingerprint: '{fingerprint}'}}]}}]\n")

    assert cli("workloads", "classify", "r.json", "--json").json()["workload"] == "mail"


def test_without_any_label_the_strictest_holds_and_content_raises_a_given_one(cli: Cli) -> None:
    Path("r.json").write_text(request("You sort mail.", "My card is 4111 1111 1111 1111."))

    assert cli("workloads", "classify", "r.json", "--json").json()["sensitivity"] == "restricted"
    raised = cli("workloads", "classify", "r.json", "--sensitivity", "public", "--json").json()
    assert raised["sensitivity"] == "confidential"
    assert "the content holds card" in raised["reasons"][2]


def test_wrong_input_is_told_in_two_lines(cli: Cli) -> None:
    Path("r.json").write_text("not JSON")

    assert "not a JSON object" in cli("workloads", "classify", "r.json", expect=2).err
    assert "nowhere.json" in cli("workloads", "classify", "nowhere.json", expect=3).err
    Path("r.json").write_text(request("a", "b"))
    assert "secret" in cli("workloads", "classify", "r.json", "--sensitivity", "secret", expect=2).err
