import pytest

from trimtab.cli import output
from trimtab.cli.output import print_table


def test_names_from_files_are_neither_markup_nor_terminal_codes(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["workload", ">calls"], [["[red]x[/red]", 1200], ["a\x1b[2Jb", None]])

    out = capsys.readouterr().out
    assert "[red]x[/red]" in out
    assert "\x1b" not in out
    assert "1,200" in out


def test_a_pipe_gets_whole_cells(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["a", "b"], [["x" * 100, "y" * 100]])

    assert "x" * 100 + "  " + "y" * 100 in capsys.readouterr().out


def test_progress_writes_nothing_when_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    progress = output.Progress()
    progress.update("half")
    progress.clear()

    assert capsys.readouterr() == ("", "")


def test_an_unknown_cell_is_a_dash_and_never_a_zero(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["a", ">b"], [["x", None], ["y", 0]])

    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [["x", "-"], ["y", "0"]]


def test_a_line_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_line("a\x1b]0;title\x07b")
    output.note("c\x1b[2Jd")

    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert (out, err) == ("a\ufffd]0;title\ufffdb\n", "c\ufffd[2Jd\n")
