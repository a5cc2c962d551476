"""The how-to pages that start a gateway, followed to the letter. The pages without one are in test_cli_how_to.py."""

import re
import shutil
import socket
from pathlib import Path

from tests.support.service import environment, run_cli
from tests.support.tutorial import Reader, blocks_of

from trimtab.lab import pool_models

ROOT = Path(__file__).resolve().parents[2]


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def followed(name: str, folder: Path) -> list[str]:
    """Do what a page says, in its own folder and on free ports; return what each of its `sh` blocks printed."""
    data, control = _free_port(), _free_port()
    path = f"{ROOT / '.venv/bin'}:{environment()['PATH']}"
    ports = {"TRIMTAB_PORT": data, "TRIMTAB_CONTROL_PORT": control}
    reader = Reader(
        folder, environment({"PATH": path, **ports}), {"4180": data, "4181": control}, f"http://127.0.0.1:{data}/readyz"
    )
    try:
        reader.follow(blocks_of((ROOT / f"docs/how-to/{name}.md").read_text()))
    finally:
        reader.leave()
    return reader.outputs


def test_budgets_refuse_and_downgrade_as_their_page_shows(tmp_path: Path) -> None:
    page = (ROOT / "docs/how-to/set-budgets.md").read_text()

    made, asked, counted = followed("set-budgets", tmp_path)

    assert made == ""
    assert asked in page
    assert asked.count("402 Payment Required") == 1
    assert "app:web-shop, day: used up, then downgrade" in counted


def test_what_is_kept_is_what_the_page_says(tmp_path: Path) -> None:
    (kept,) = followed("keep-less", tmp_path)

    assert "The customer is [REDACTED:email], IBAN [REDACTED:iban]." in kept
    assert "jo@example.org" not in kept
    listed, totals = kept.split("call_id", 1)[0], kept.rsplit("Workload", 1)[1]
    assert "works-council" not in listed
    assert "works-council" in totals


def test_restricted_calls_stay_inside_as_the_page_shows(tmp_path: Path) -> None:
    *_, answers = followed("keep-restricted-inside", tmp_path)

    hosted, *inside, refused = answers.splitlines()
    assert "Hosted: twelve months" in hosted
    assert ["Own machine: twelve months" in answer for answer in inside] == [True, True]
    assert '"policy_refused"' in refused


def test_metrics_count_what_their_page_shows(tmp_path: Path) -> None:
    page = (ROOT / "docs/how-to/read-metrics.md").read_text()

    (counted,) = followed("read-metrics", tmp_path)

    assert len(counted.splitlines()) == 5
    assert sorted(counted.splitlines()) == sorted(page.split("```text\n")[1].split("```")[0].splitlines())


def test_a_move_begins_with_the_old_log(tmp_path: Path) -> None:
    imported, simulated = followed("move-from-another-gateway", tmp_path)

    assert "contracts" in imported
    assert "$0.016500" in imported  # the one call of legal, as LiteLLM charged it
    assert "first.yaml" in simulated


def test_a_model_file_serves_as_its_page_says(tmp_path: Path) -> None:
    small, _ = pool_models()
    (tmp_path / "models").mkdir()
    shutil.copy(small.path, tmp_path / "models/office-small.gguf")

    checked, asked = followed("serve-a-small-model", tmp_path)

    assert "office-small.gguf: 1.5M parameters, f16" in checked
    answer, listed = asked.split("\n", 1) if asked.startswith("{") else ("", asked)
    assert '"object":"chat.completion"' in answer
    assert "ready" in listed


def test_an_evaluation_runs_as_its_page_says(tmp_path: Path) -> None:
    small, _ = pool_models()
    (tmp_path / "models").mkdir()
    shutil.copy(small.path, tmp_path / "models/office-small.gguf")

    counted, ran, outside, listed = followed("run-an-evaluation", tmp_path)

    assert (counted, outside) == ("", "")  # estimates are for the person watching
    assert re.search(r"local:office-small  0\.\d{3} \[0\.\d{3}, 0\.\d{3}\] \(n = 2\)", ran)
    assert re.search(r"qa +easy +local:office-small", ran)
    assert "exact_match" not in listed.split("\n")[1]
    assert "capitals 1 (" in listed


def test_a_backup_is_whole_and_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("policy: kept\norganisation: {sensitivity: internal}\n")
    (tmp_path / "log.csv").write_text("llm,usd\nopenai/gpt-4o,0.02\n")
    run_cli(tmp_path, "policy", "apply", "policy.yaml")
    run_cli(tmp_path, "calls", "import", "log.csv", "--map", "model=llm", "--map", "cost_usd=usd")

    copied, restored = followed("back-up", tmp_path)

    assert re.search(r"intact: 1 record.*head [0-9a-f]{64}", copied)
    assert copied.strip().splitlines()[-1] in restored
    assert "openai:gpt-4o" in restored
    assert "policy: kept" in restored
