import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from trimtab.cli import frame
from trimtab.cli.context import Invocation, invocation_of
from trimtab.cli.frame import NOUNS, Noun, command_of, globals_first, run
from trimtab.core import errors


def _noun(monkeypatch: pytest.MonkeyPatch, raised: BaseException) -> None:
    """Put a noun `fail` beside the real ones whose only act is to raise."""
    module = type(sys)("trimtab_failing_noun")

    def act() -> None:
        raise raised

    module.run = act  # type: ignore[attr-defined]  # a module made by hand
    monkeypatch.setitem(sys.modules, "trimtab_failing_noun", module)
    monkeypatch.setattr(frame, "NOUNS", (*NOUNS, Noun("fail", "trimtab_failing_noun", "Fail.")))


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (errors.PolicyRefused("no"), 1),
        (errors.BudgetExhausted("no"), 1),
        (errors.PolicyInvalid("no"), 2),
        (errors.NotFound("no"), 2),
        (errors.UpstreamTimeout("no"), 3),
        (errors.StoreError("no"), 3),
        (PermissionError(13, "Permission denied", "/x"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: BaseException, code: int
) -> None:
    _noun(monkeypatch, raised)

    assert run(["fail"]) == code
    out, err = capsys.readouterr()
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert out == ""


def test_an_expected_failure_prints_an_error_and_a_hint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _noun(monkeypatch, errors.ConfigurationError("The port 99999 is too high.", hint="Use one below 65536."))

    assert run(["fail"]) == 2
    assert capsys.readouterr().err == "error: The port 99999 is too high.\nhint:  Use one below 65536.\n"


def test_every_error_type_has_an_exit_code() -> None:
    kinds = [value for value in vars(errors).values() if isinstance(value, type)]

    assert all(any(issubclass(kind, known) for known, _ in frame.EXIT_CODES) for kind in kinds)


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    _noun(monkeypatch, ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        run(["fail"])


@pytest.mark.parametrize(
    "words", [["frob"], ["--frob"], ["calls", "frob"], ["calls"], ["calls", "list", "--limit", "x"]]
)
def test_wrong_usage_says_where_to_look(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert run(words) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("hint:  `trimtab")


def test_a_noun_that_cannot_be_imported_does_not_break_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(frame, "NOUNS", (*NOUNS, Noun("later", "trimtab.cli.not_there", "Not there.")))

    assert run(["--help"]) == 0
    assert "later" in capsys.readouterr().out
    assert run(["calls", "--help"]) == 0


def test_every_noun_is_there_and_helps(capsys: pytest.CaptureFixture[str]) -> None:
    for noun in NOUNS:
        assert run([noun.name, "--help"]) == 0
        assert "Usage: trimtab " + noun.name in capsys.readouterr().out


def test_global_options_may_stand_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Invocation] = []
    module = type(sys)("trimtab_seeing_noun")

    def act(context: typer.Context, port: int = 0) -> None:
        seen.append(invocation_of(context))

    module.run = act  # type: ignore[attr-defined]  # a module made by hand
    monkeypatch.setitem(sys.modules, "trimtab_seeing_noun", module)
    monkeypatch.setattr(frame, "NOUNS", (Noun("see", "trimtab_seeing_noun", "See."),))

    for words in (["-c", "a.yaml", "see"], ["see", "-c", "a.yaml"], ["see", "--port", "1", "--config=a.yaml"]):
        assert run(words) == 0

    assert seen == [Invocation(config=Path("a.yaml"))] * 3
    assert globals_first(["see", "--", "-c", "x"]) == ["see", "--", "-c", "x"]


def test_configuration_is_the_flag_then_the_environment_then_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRIMTAB_CONFIG", raising=False)
    assert Invocation().config_path is None
    (tmp_path / "trimtab.yaml").write_text("")
    assert Invocation().config_path == Path("trimtab.yaml")
    monkeypatch.setenv("TRIMTAB_CONFIG", "env.yaml")
    assert Invocation().config_path == Path("env.yaml")
    assert Invocation(config=Path("flag.yaml")).config_path == Path("flag.yaml")


def test_a_database_may_be_a_plain_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    assert Invocation(database="a.db").database_url() == f"sqlite:///{tmp_path / 'a.db'}"
    assert Invocation(database="postgresql://h/d").database_url() == "postgresql://h/d"


def test_help_does_not_import_any_noun_and_is_quick() -> None:
    code = (
        "import sys; from trimtab.cli.frame import run; run(['--help']);"
        "heavy = [m for m in sys.modules if m.startswith(('trimtab.cli.calls', 'sqlalchemy', 'pyarrow', 'pydantic'))];"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    fastest = 9.0
    for _ in range(3):
        started = time.perf_counter()
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        fastest = min(fastest, time.perf_counter() - started)
        assert result.returncode == 0, result.stderr

    assert fastest < 0.6  # 0.18 s on an idle core; twice 0.3 s allows for a busy one


@pytest.mark.parametrize("noun", [noun.name for noun in NOUNS])
def test_help_is_written_for_people_and_not_cut(capsys: pytest.CaptureFixture[str], noun: str) -> None:
    for path, _ in [(f"trimtab {noun}", None), *command_of(noun)]:
        assert run([*path.split()[1:], "--help"]) == 0
        _, *lines = capsys.readouterr().out.splitlines()
        assert not [line for line in lines if line.endswith("...")], path
        for jargon in ("Raises:", "Args:", "<list", "<str>", "<int", "<path>"):
            assert jargon not in "\n".join(lines), path


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["--help", "calls list", "calls export"])
def test_a_closed_stream_is_no_bug_of_ours(tmp_path: Path, words: str, closed: str) -> None:
    command = f"exec {sys.executable} -m trimtab {words} {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_a_terminal_of_another_alphabet_shows_what_it_can(tmp_path: Path) -> None:
    (tmp_path / "é.yaml").write_text("policy: p\n")
    command = [sys.executable, "-m", "trimtab", "policy", "lint", "é.yaml"]
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=False)

    assert (done.returncode, done.stdout.decode().split(" in ")[-1]) == (0, "\\xe9.yaml\n")


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    script = "from trimtab.cli import main; main(['--help'])"
    writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    writer.stdout.close()
    assert writer.stderr is not None
    stderr = writer.stderr.read()
    writer.stderr.close()

    assert writer.wait() == frame.BROKEN_PIPE
    assert stderr == ""
