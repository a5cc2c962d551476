"""The command line inside the test's own process: the same words, the same exit codes, a tenth of a second."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from trimtab.cli.frame import run


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def rows(self) -> list[list[str]]:
        """The lines of a table after its headings, cut where two spaces are."""
        return [[c.strip() for c in line.split("  ") if c.strip()] for line in self.out.splitlines()[1:]]


class Cli:
    """Runs commands in a folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def __call__(self, *words: str, expect: int = 0) -> Said:
        self._capsys.readouterr()
        code = run(list(words))
        said = Said(code, *self._capsys.readouterr())
        assert code == expect, f"{words}: {code}\n{said.out}\n{said.err}"
        return said


def command_line(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Return the command line of a folder without anything from outside that could configure it."""
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("TRIMTAB_")]:
        monkeypatch.delenv(name)
    return Cli(folder, capsys)
