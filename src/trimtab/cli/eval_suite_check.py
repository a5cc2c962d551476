"""``trimtab eval suite check``: everything that is wrong with suites, before anything is run on them."""

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.filters import JsonOption
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import SuiteProblem, SuiteReading, read_suite, unreadable_cases

NOT_USABLE = 2
"""Exit code, that of a usage error: a file that was given cannot be used."""


class CheckedSuite(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one suite file."""

    file: str
    is_usable: bool
    """Whether it can be loaded, and each case graded, as it is."""
    suite: str | None
    """Its name; ``None`` when what can be read makes no suite."""
    version: str | None
    digest: str | None
    """Of the cases that can be used."""
    n_cases: int
    """Those."""
    n_skipped: int
    """Lines that are no case."""
    problems: tuple[SuiteProblem, ...]
    """All of them, in the order of the file."""


def check_suites(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Suite files.", show_default=False)],
    json: JsonOption = False,
) -> int:
    """Say everything that is wrong with suites: lines that are no case, plans that cannot be, cases none can grade.

    Exits 2 when one cannot be used as it is.
    """
    checked = [_checked(file) for file in files]
    if json:
        output.print_json(checked)
    else:
        for one in checked:
            _print(one)
    return 0 if all(one.is_usable for one in checked) else NOT_USABLE


def _checked(file: Path) -> CheckedSuite:
    try:
        reading = read_suite(file)
    except ConfigurationError as exc:
        problem = SuiteProblem(file=str(file), line=None, rule=exc.message.rstrip("."))
        reading = SuiteReading(suite=None, problems=(problem,), n_skipped=0)
    suite = reading.suite
    rules = [] if suite is None else asyncio.run(unreadable_cases(suite))
    problems = (*reading.problems, *(SuiteProblem(file=str(file), line=None, rule=rule) for rule in rules))
    return CheckedSuite(
        file=str(file),
        is_usable=suite is not None and not problems,
        suite=None if suite is None else suite.name,
        version=None if suite is None else suite.version,
        digest=None if suite is None else suite.digest,
        n_cases=0 if suite is None else len(suite.cases),
        n_skipped=reading.n_skipped,
        problems=problems,
    )


def _print(checked: CheckedSuite) -> None:
    for problem in checked.problems:
        output.print_line(f"{problem.place}: {problem.rule}")
    if checked.is_usable:
        figures = f"{output.counted(checked.n_cases, 'case')}, digest {(checked.digest or '')[:12]}"
        output.print_line(f"{checked.file}: {checked.suite} version {checked.version}, {figures}: nothing to correct")
        return
    rest = f"; {output.counted(checked.n_cases, 'case')} would be left with --skip-invalid" if checked.suite else ""
    output.print_line(f"{checked.file}: {output.counted(len(checked.problems), 'problem')}{rest}")
