"""`trimtab policy apply|rollback|list|show|diff|simulate` and `trimtab explain` on a real database."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import Cli, command_line

from trimtab.cli.context import Invocation
from trimtab.core import CallRecord, JournalEntry, Usage, derived_call_id
from trimtab.policy import Facts, load_policy
from trimtab.routing import candidate_facts, decide, digest_of
from trimtab.store import Importer, open_database
from trimtab.wiring import pool_of, price_book_of

CONFIG = """
data_dir: data
providers: [{name: local, kind: openai, base_url: "http://127.0.0.1:1/v1"}]
models:
  - {provider: local, model: small, boundary: inside, capability_rank: 1,
     price: {input_usd_per_mtok: 1, output_usd_per_mtok: 1, source: test}}
  - {provider: local, model: large, boundary: inside, capability_rank: 2,
     price: {input_usd_per_mtok: 10, output_usd_per_mtok: 10, source: test}}
  - {provider: local, model: banned, boundary: inside, capability_rank: 3,
     price: {input_usd_per_mtok: 10, output_usd_per_mtok: 10, source: test}}
"""
ECO = """
policy: eco
organisation:
  mode: eco
  latency: {ttft_p95_ms: 900}
  budget: {per_day_usd: 5}
  models: {deny: ["local:banned"]}
"""
LARGE_FOR_CODE = """
policy: large-for-code
organisation:
  mode: eco
  models: {deny: ["local:banned"]}
rules:
  - id: code-large
    when: {task_type: code}
    then: {models: {allow: ["local:large"]}}
"""
BAD = "policy: bad\norganisation:\n  models: {allow: [local:smal]}\n"
AT_US = 1_714_564_800_000_000


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    cli = command_line(tmp_path, monkeypatch, capsys)
    for name, text in (("trimtab", CONFIG), ("eco", ECO), ("large", LARGE_FOR_CODE), ("bad", BAD)):
        Path(f"{name}.yaml").write_text(text)
    return cli


def _decided(number: int, **facts: Any) -> JournalEntry:
    """A call as the gateway records it: decided under `eco`, answered by the chosen model."""
    settings = Invocation(config=Path("trimtab.yaml")).settings()
    pool, policy, prices = pool_of(settings), load_policy(ECO, origin="eco.yaml"), price_book_of(settings)
    given = Facts(input_tokens=1024, **facts)
    constraints = policy.resolve(given, pool)
    candidates = [candidate_facts(pool.cards[name], given, prices, at_us=AT_US) for name in constraints.allowed]
    decision = decide(given, constraints, candidates, pool)
    encoded = decision.encoded()
    call = CallRecord(
        call_id=derived_call_id("test", str(number)),
        started_at_us=AT_US + number,
        workload=given.workload,
        task_type=given.task_type,
        model=decision.model,
        policy_version=policy.version,
        decision_digest=digest_of(encoded),
        usage=Usage(input_tokens=1000, output_tokens=0),
        cost_nano_usd=1_000_000,
        latency_ms=500.0,
        quality_fraction=1.0,
    )
    return JournalEntry(call=call, decision=encoded)


def _record(*entries: JournalEntry) -> None:
    database = open_database(Invocation(config=Path("trimtab.yaml")).database_url())
    Importer(database).add_many(entries)
    database.close()


def test_apply_says_which_version_is_in_force_and_which_was(cli: Cli) -> None:
    first = cli("policy", "apply", "eco.yaml", "--json").json()
    second = cli("policy", "apply", "large.yaml", "--json").json()
    again = cli("policy", "apply", "large.yaml")

    assert (first["name"], first["previous"], first["is_new"]) == ("eco", None, True)
    assert (second["name"], second["previous"]) == ("large-for-code", first["version"])
    assert again.out == f"large-for-code {second['version'][:12]} is in force already\n"


def test_rollback_goes_to_the_version_before_or_to_the_one_that_is_named(cli: Cli) -> None:
    eco = cli("policy", "apply", "eco.yaml", "--json").json()["version"]
    large = cli("policy", "apply", "large.yaml", "--json").json()["version"]

    assert cli("policy", "rollback").out == f"eco {eco[:12]} is in force\nprevious: {large[:12]}\n"
    assert cli("policy", "rollback", large[:8], "--json").json()["version"] == large
    assert [row["version"] for row in cli("policy", "list", "--json").json()] == [large, eco, large, eco]
    assert cli("policy", "show").out.strip() == LARGE_FOR_CODE.strip()
    assert cli("policy", "show", eco[:8]).out.strip() == ECO.strip()


def test_promise_5_a_bad_policy_is_refused_with_its_line_and_the_running_one_stays(cli: Cli) -> None:
    cli("policy", "apply", "eco.yaml")

    said = cli("policy", "apply", "bad.yaml", expect=2)

    assert said.err.startswith("error: bad.yaml:3: Policy 'bad' names model 'local:smal'")
    assert cli("policy", "show").out.strip() == ECO.strip()
    assert [record["action"] for record in cli("audit", "list", "--json").json()] == ["policy.apply"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["rollback"], "no earlier policy"),
        (["rollback", "ffff"], "no policy version 'ffff'"),
        (["show"], "No policy is in force"),
        (["show", "ffff"], "No policy version begins with 'ffff'"),
        (["apply", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (["diff", "eco.yaml"], "nothing to compare with"),
        (["simulate", "bad.yaml"], "bad.yaml:3"),
    ],
)
def test_what_cannot_be_done_says_why(cli: Cli, words: list[str], error: str) -> None:
    said = cli("policy", *words, expect=2)

    assert error in said.err
    assert "hint:  " in said.err


def test_s26_a_dry_run_prints_which_recorded_decisions_would_change(cli: Cli) -> None:
    code = [_decided(n, workload="dev", task_type="code") for n in range(3)]
    _record(*code, _decided(9, workload="faq", task_type="chat"))
    cli("policy", "apply", "eco.yaml")

    found = cli("policy", "diff", "large.yaml", "--json").json()

    assert (found["decisions"]["n_calls"], found["decisions"]["n_changed"]) == (4, 3)
    assert found["decisions"]["moves"] == [{"before": "local:small", "after": "local:large", "n_calls": 3}]
    assert {row["call_id"] for row in found["decisions"]["examples"]} == {entry.call.call_id for entry in code}
    assert "rules[code-large].then.models.allow" in {change["path"] for change in found["changes"]}
    said = cli("policy", "diff", "large.yaml").out
    assert "3 of 4 recorded calls would go elsewhere" in said
    assert cli("policy", "list", "--json").json()[0]["name"] == "eco"


def test_simulations_of_several_policies_stand_beside_the_record(cli: Cli) -> None:
    _record(*(_decided(n, workload="dev", task_type="code") for n in range(3)), _decided(9, workload="faq"))

    found = cli("policy", "simulate", "eco.yaml", "large.yaml", "--json").json()

    recorded, (eco, large) = found["recorded"], found["policies"]
    assert (found["n_calls"], found["pool"], recorded["cost_usd"]) == (4, "configured", "0.004")
    assert (eco["cost_usd"], eco["shares"], eco["n_unchanged"]) == ("0.004", {"local:small": 1.0}, 4)
    # Three calls move to $10 a million: 3 x 1,000 tokens = $0.03, and one stays at $0.001.
    assert (large["cost_usd"], large["shares"]) == ("0.031", {"local:large": 0.75, "local:small": 0.25})
    assert (large["n_ungraded"], large["n_repriced"]) == (3, 3)
    # (9 + 9 + 9 + 0) / 4 thousandths of a dollar more a call.
    assert large["cost_difference_nano_usd"]["mean"] == 6_750_000


def test_the_table_of_a_simulation_says_the_same_and_what_it_rests_on(cli: Cli) -> None:
    _record(*(_decided(n, workload="dev", task_type="code") for n in range(3)), _decided(9, workload="faq"))

    said = cli("policy", "simulate", "large.yaml", "--workload", "dev")

    rows = said.rows()
    assert rows[1][:5] == ["recorded", "3", "0", "$0.003", "0"]
    assert rows[2][:5] == ["large.yaml", "3", "0", "$0.030", "0"]
    assert ["large.yaml", "local:large", "3", "100.0 %"] in rows
    assert "3 calls go to a model that nobody graded" in said.err


def test_outcomes_are_simulated_without_any_configuration(cli: Cli) -> None:
    Path("trimtab.yaml").unlink()
    lines = [
        f'{{"prompt_id":"p{n}","dataset":"d","model":"{m}","score":{s},"cost_usd":{c},"input_tokens":9,"output_tokens":9}}'
        for n in range(4)
        for m, s, c in (("a", n % 2, 0.5), ("b", 1, 2))
    ]
    Path("outcomes.jsonl").write_text("\n".join(lines))
    Path("pin.yaml").write_text(
        "policy: pin\norganisation:\n  sensitivity: public\n  models: {allow: ['recorded:a']}\n"
    )
    cli("calls", "import", "outcomes.jsonl", "--sensitivity", "public")

    found = cli("policy", "simulate", "pin.yaml", "--json").json()

    assert (found["pool"], found["n_calls"]) == ("recorded", 4)
    assert found["policies"][0]["cost_usd"] == "2"
    assert (found["policies"][0]["quality"]["mean"], found["policies"][0]["quality"]["n_samples"]) == (0.5, 4)


def test_s18_explain_gives_inputs_removals_with_rules_scores_winner_and_replays(cli: Cli) -> None:
    entry = _decided(1, workload="dev", task_type="code")
    _record(entry)
    cli("policy", "apply", "eco.yaml")

    of_call = cli("explain", entry.call.call_id, "--json").json()["current"]
    of_workload = cli("explain", "dev", "--json").json()

    assert {given["name"]: given["value"] for given in of_call["inputs"]} == {
        "task_type": "code",
        "sensitivity": "restricted",
        "latency_target": "p95 time to first token <= 900 ms (from n = 20)",
        "cost_budget": "organisation: $5.00 a day, then refuse",
    }
    assert [(gone["model"], gone["rule_id"]) for gone in of_call["removed"]] == [("local:banned", "organisation")]
    assert [score["facts"]["model"] for score in of_call["scores"]] == ["local:small", "local:large"]
    assert (of_call["model"], of_call["replays"]) == ("local:small", True)
    assert of_workload["current"] == of_call
    assert entry.call.call_id in of_workload["basis"]
    assert of_workload["models"][0]["quality"]["n_samples"] == 1


def test_an_explanation_reads_from_the_answer_to_what_it_rests_on(cli: Cli) -> None:
    entry = _decided(1, workload="dev", task_type="code")
    _record(entry)

    said = cli("explain", entry.call.call_id).out

    parts = ["Chosen      local:small", "Because", "Policy      eco", "Inputs      task_type       code", "Removed"]
    places = [said.index(part) for part in [*parts, "Left", "Tiers", "the record alone leads to the same model again"]]
    assert places == sorted(places)
    assert "local:banned  policy  organisation" in said


def test_an_imported_workload_is_decided_afresh_and_says_so(cli: Cli) -> None:
    Path("calls.csv").write_text("llm,load\nopenai/gpt-4o,faq\n")
    cli("calls", "import", "calls.csv", "--map", "model=llm", "--map", "workload=load")
    (call,) = cli("calls", "list", "--json").json()
    assert "No decision is recorded" in cli("explain", call["call_id"]).out
    assert "No policy is in force" in cli("explain", "faq").out

    cli("policy", "apply", "eco.yaml")
    assert "Decided now for the usual call" in cli("explain", "faq").out
    assert cli("explain", "faq", "--json").json()["current"]["model"] == "local:small"


@pytest.mark.parametrize("subject", ["call_nobody", "nobody"])
def test_an_unknown_subject_is_not_found(cli: Cli, subject: str) -> None:
    assert cli("explain", subject, expect=2).err.startswith(
        f"error: There is no {'call' if 'call' in subject else 'w'}"
    )
