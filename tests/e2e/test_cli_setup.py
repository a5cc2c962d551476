"""`trimtab init`, `check`, `doctor` and `serve`, as far as they go before the first call."""

import json
import socket
from pathlib import Path

import pytest
import yaml
from tests.support.cli import Cli, command_line
from tests.support.service import run_cli, running, write_config

CONFIG = """
data_dir: data
policy_file: policy.yaml
providers: [{name: local, kind: openai, base_url: "http://127.0.0.1:1/v1", api_key_env: LOCAL_KEY}]
models: [{provider: local, model: small, boundary: inside}]
"""


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MISTRAL_API_KEY", "DEEPSEEK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return command_line(tmp_path, monkeypatch, capsys)


def _verdicts(cli: Cli, noun: str, *, expect: int) -> dict[str, str]:
    return {row["subject"]: row["verdict"] for row in cli(noun, "--json", expect=expect).json()}


def test_init_writes_files_that_hold_together_and_never_the_key(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0001")

    said = cli("init", "here")

    assert said.out == f"wrote {Path('here/trimtab.yaml')} and {Path('here/policy.yaml')}\n"
    assert "found openai: OPENAI_API_KEY is set" in said.err
    assert "sk-canary-0001" not in said.out + said.err + Path("here/trimtab.yaml").read_text()
    cli("--config", "here/trimtab.yaml", "policy", "lint", "here/policy.yaml")
    cli("--config", "here/trimtab.yaml", "policy", "test", "here/policy.yaml")
    assert "openai:gpt-5-mini" in cli("--config", "here/trimtab.yaml", "models", "list").out


def test_init_serves_the_smallest_model_file_it_finds_and_lists_the_others(cli: Cli) -> None:
    pytest.importorskip("gguf", reason="model files are read by the extra `serving`")
    from tests.support.tiny_gguf import write_tiny_model

    Path("models").mkdir()
    write_tiny_model(Path("models/My Tiny.gguf"))
    Path("models/larger.gguf").write_bytes(Path("models/My Tiny.gguf").read_bytes() + b"\0" * 64)

    said = cli("init")

    text = Path("trimtab.yaml").read_text()
    (engine,) = yaml.safe_load(text)["engines"]
    assert engine == {"name": "local", "kind": "llama_cpp", "path": "models/My Tiny.gguf", "model": "My-Tiny"}
    assert "# - {name: local-2, kind: llama_cpp" in text
    assert "found 2 GGUF files: models/My Tiny.gguf is served" in said.err
    cli("policy", "test", "policy.yaml")
    assert _verdicts(cli, "check", expect=0)["engine local"] == "ok"


def test_init_replaces_nothing_unless_told(cli: Cli) -> None:
    Path("policy.yaml").write_text("policy: mine\n")

    assert "policy.yaml exists already" in cli("init", expect=2).err
    assert Path("policy.yaml").read_text() == "policy: mine\n"
    cli("init", "--force")
    assert Path("policy.yaml").read_text() != "policy: mine\n"


def test_init_finds_nothing_and_says_what_to_do(cli: Cli) -> None:
    cli("init")

    assert yaml.safe_load(Path("trimtab.yaml").read_text())["policy_file"] == "policy.yaml"
    cli("policy", "lint", "policy.yaml")


def test_check_names_a_missing_key_an_unknown_price_and_a_bad_policy(cli: Cli) -> None:
    Path("trimtab.yaml").write_text(CONFIG)
    Path("policy.yaml").write_text("policy: p\norganisation:\n  models: {allow: [local:smal]}\n")

    verdicts = _verdicts(cli, "check", expect=1)

    assert verdicts == {
        "models": "ok",
        "local:small": "warning",
        "policy.yaml:3": "failed",
        "provider local": "failed",
    }
    said = cli("check", expect=1)
    assert "LOCAL_KEY is not set" in said.out
    assert "hint:  policy.yaml:3: Closest match: 'local:small'" in said.err


def test_check_passes_what_holds_together(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        port = upstream.getsockname()[1]
        Path("trimtab.yaml").write_text(CONFIG.replace("127.0.0.1:1/", f"127.0.0.1:{port}/"))
        Path("policy.yaml").write_text("policy: p\n")
        monkeypatch.setenv("LOCAL_KEY", "sk-canary-0002")

        said = cli("check", "--json")

    assert "failed" not in {row["verdict"] for row in said.json()}
    assert "sk-canary-0002" not in said.out + said.err


def test_doctor_looks_and_changes_nothing(cli: Cli) -> None:
    assert _verdicts(cli, "doctor", expect=0)["data directory"] == "ok"
    assert list(Path().iterdir()) == []


def test_doctor_says_when_the_data_directory_cannot_be_made(cli: Cli) -> None:
    Path("file").touch()
    Path("trimtab.yaml").write_text("data_dir: file/data\n")

    assert _verdicts(cli, "doctor", expect=1)["data directory"] == "failed"


def test_a_policy_file_that_is_no_text_is_a_finding(cli: Cli) -> None:
    Path("trimtab.yaml").write_text("policy_file: policy.yaml\n")
    Path("policy.yaml").write_bytes(b"\x80")

    assert "it is not UTF-8 text" in cli("check", expect=1).out


def test_a_command_in_the_wrong_folder_says_what_it_makes_there(cli: Cli) -> None:
    assert "No trimtab.yaml here, so trimtab-data is made" in cli("calls", "list").err
    assert "No trimtab.yaml here" not in cli("calls", "list").err


@pytest.mark.parametrize("noun", [["check"], ["doctor"], ["calls", "list"], ["serve"], ["models", "list"]])
def test_a_misspelt_setting_suggests_the_right_one_everywhere(cli: Cli, noun: list[str]) -> None:
    Path("trimtab.yaml").write_text("data_dri: x\n")

    said = cli(*noun, expect=2)

    assert said.err.startswith("error: trimtab.yaml: data_dri:")
    assert "Did you mean 'data_dir'?" in said.err


def test_a_misspelt_environment_name_is_refused(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_DATABSE", "x.db")

    assert "Did you mean 'TRIMTAB_DATABASE'?" in cli("calls", "list", expect=2).err


def test_a_database_that_cannot_be_opened_is_an_outside_failure(cli: Cli) -> None:
    Path("file").write_text("not a database")

    assert "error: " in cli("--database", "file", "calls", "list", expect=3).err
    assert "'mysql', which Trimtab does not speak" in cli("--database", "mysql://h/d", "calls", "list", expect=3).err


def test_serve_says_which_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_cli(tmp_path, "serve", "--port", port, expect=2)

    assert f"error: Cannot listen on 127.0.0.1:{port}: " in done.stderr
    assert "choose one with --port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_start_that_fails_leaves_the_admin_secret_to_the_one_that_works(tmp_path: Path) -> None:
    recorded = {"name": "recorded", "kind": "recorded", "path": "outcomes.jsonl"}
    write_config(tmp_path, providers=[recorded], models=[{"provider": "recorded", "model": "small"}])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "Cannot listen" in run_cli(tmp_path, "serve", "--port", str(taken.getsockname()[1]), expect=2).stderr
    assert "no file" in run_cli(tmp_path, "serve", expect=2).stderr

    (tmp_path / "outcomes.jsonl").write_text('{"prompt_id": "1", "model": "small", "score": 1}\n')
    with running(tmp_path) as service:
        assert service.ask("GET", "/api/keys", control=True).status == 200


def test_without_keys_only_loopback_is_served(tmp_path: Path) -> None:
    (tmp_path / "trimtab.yaml").write_text(json.dumps({"auth": "none"}))

    done = run_cli(tmp_path, "serve", "--host", "0.0.0.0", expect=2)

    assert "only loopback is allowed" in done.stderr
