"""`trimtab keys`, `trimtab audit` and `trimtab models` on a real database."""

import json
import sqlite3
import stat
from pathlib import Path

import pytest
from tests.support.cli import Cli, command_line

DATABASE = Path("trimtab-data/trimtab.db")
CONFIG = """
providers: [{name: local, kind: openai, base_url: "http://127.0.0.1:1/v1"}]
models:
  - {provider: local, model: small, boundary: inside, context_tokens: 8192,
     price: {input_usd_per_mtok: "0.25", output_usd_per_mtok: 1, source: contract 7, valid_from: 2026-01-01}}
  - {provider: local, model: unpriced}
"""


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return command_line(tmp_path, monkeypatch, capsys)


def test_a_secret_is_shown_once_and_kept_nowhere(cli: Cli) -> None:
    made = cli("keys", "create", "shop", "--app", "shop", "--json").json()
    cli("keys", "create", "other")

    assert made["secret"].startswith("tt-")
    assert made["scopes"] == ["inference", "embeddings", "feedback"]
    later = cli("keys", "list").out + cli("keys", "list", "--json").out + cli("audit", "export").out
    assert made["key_id"] in later
    assert made["secret"] not in later
    kept = b"".join(path.read_bytes() for path in Path("trimtab-data").rglob("*") if path.is_file())
    assert made["secret"].encode() not in kept


def test_without_json_stdout_is_the_secret_alone(cli: Cli) -> None:
    said = cli("keys", "create", "shop")

    assert said.out.startswith("tt-")
    assert len(said.out.split()) == 1
    assert "shown this once" in said.err


def test_every_limit_can_be_set_changed_and_taken_away(cli: Cli) -> None:
    limits = [
        "--calls-per-minute",
        "60",
        "--tokens-per-minute",
        "5000",
        "--usd-per-day",
        "2.5",
        "--usd-per-month",
        "40",
    ]
    made = cli("keys", "create", "shop", *limits, "--expires-in-days", "1", "--json").json()
    stored = ["calls_per_minute", "tokens_per_minute", "per_day_nano_usd", "per_month_nano_usd"]
    assert [made[name] for name in stored] == [60, 5000, 2_500_000_000, 40_000_000_000]
    assert made["expires_at_us"] - made["created_at_us"] == pytest.approx(86_400_000_000, abs=10_000_000)

    changed = cli("keys", "update", made["key_id"], "--calls-per-minute", "none", "--usd-per-day", "3", "--json").json()

    assert [changed[name] for name in stored] == [None, 5000, 3_000_000_000, 40_000_000_000]
    assert "5,000 tokens/min, $3.00/day, $40.00/month" in cli("keys", "list").out


def test_a_revoked_key_is_listed_as_that(cli: Cli) -> None:
    made = cli("keys", "create", "shop", "--json").json()

    assert cli("keys", "revoke", made["key_id"]).out.startswith(f"{made['key_id']} (shop) revoked")
    (row,) = cli("keys", "list", "--json").json()
    assert row["revoked_at_us"] is not None
    assert "  revoked " in cli("keys", "list").out


def test_keys_are_listed_by_app(cli: Cli) -> None:
    for app in ("shop", "desk"):
        cli("keys", "create", f"key of {app}", "--app", app)

    assert [key["app"] for key in cli("keys", "list", "--app", "desk", "--json").json()] == ["desk"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["create", "x", "--scope", "inferense"], "Did you mean 'inference'?"),
        (["create", "x", "--app", "No Spaces"], "is not a name"),
        (["create", "x", "--usd-per-day", "five"], "not an amount"),
        (["create", "x", "--usd-per-day", "-1"], "not an amount"),
        (["create", "x", "--expires-in-days", "0"], "--expires-in-days"),
        (["create"], "NAME"),
        (["update", "key_nobody", "--usd-per-day", "1"], "There is no key 'key_nobody'"),
        (["update", "key_nobody"], "No limit was given"),
        (["update", "key_nobody", "--calls-per-minute", "many"], "not a number"),
        (["revoke", "key_nobody"], "There is no key 'key_nobody'"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(cli: Cli, words: list[str], error: str) -> None:
    assert error in cli("keys", *words, expect=2).err
    assert cli("keys", "list", "--json").json() == []
    assert cli("audit", "list", "--json").json() == []


def test_every_change_is_one_audit_record_with_who_did_it(cli: Cli) -> None:
    key_id = cli("keys", "create", "shop", "--json").json()["key_id"]
    cli("keys", "update", key_id, "--usd-per-day", "1")
    cli("keys", "revoke", key_id)

    records = cli("audit", "list", "--json").json()

    assert [(r["seq"], r["action"], r["subject"]) for r in records] == [
        (3, "key.revoke", key_id),
        (2, "key.update", key_id),
        (1, "key.create", key_id),
    ]
    assert {r["actor"].split(":")[0] for r in records} == {"local"}
    assert cli("audit", "verify").out.startswith("intact: 3 records, head ")


@pytest.mark.parametrize(
    "tamper",
    [
        "UPDATE audit SET actor = 'local:nobody' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 3",
        "UPDATE audit SET seq = -seq; UPDATE audit SET seq = CASE seq WHEN -1 THEN 2 WHEN -2 THEN 1 ELSE 3 END",
    ],
    ids=["edited", "removed", "tail removed", "reordered"],
)
def test_promise_7_attack_30_audit_verify_finds_any_change(cli: Cli, tamper: str) -> None:
    for name in ("one", "two", "three"):
        cli("keys", "create", name)
    connection = sqlite3.connect(DATABASE)
    connection.executescript(tamper)
    connection.close()

    said = cli("audit", "verify", expect=1)

    assert said.out.startswith("BROKEN: ")
    verdict = cli("audit", "verify", "--json", expect=1).json()
    assert not verdict["is_intact"]
    assert any(character.isdigit() for character in verdict["problem"])  # which record


def test_the_audit_log_is_exported_oldest_first_to_a_file_of_ones_own(cli: Cli) -> None:
    for name in ("one", "two"):
        cli("keys", "create", name)

    cli("audit", "export", "--output", "audit.jsonl")

    rows = [json.loads(line) for line in Path("audit.jsonl").read_text().splitlines()]
    assert [(row["seq"], json.loads(row["detail"])["name"]) for row in rows] == [(1, "one"), (2, "two")]
    assert stat.S_IMODE(Path("audit.jsonl").stat().st_mode) == 0o600


def test_models_are_listed_with_the_date_and_source_of_their_price(cli: Cli) -> None:
    Path("trimtab.yaml").write_text(CONFIG)

    small, unpriced = cli("models", "list", "--json").json()

    assert (small["model"], small["boundary"], small["context_tokens"]) == ("local:small", "inside", 8192)
    assert (small["input_usd_per_mtok"], small["price_date"]) == ("0.25", "2026-01-01")
    assert (unpriced["input_usd_per_mtok"], unpriced["price_source"]) == (None, "unpriced")
    assert "contract: contract 7, 2026-01-01" in cli("models", "list").out


def test_an_empty_pool_says_what_to_do(cli: Cli) -> None:
    assert "trimtab init" in cli("models", "list").err
