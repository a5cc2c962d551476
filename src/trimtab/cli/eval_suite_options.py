"""What the commands that read a suite share."""

from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.evaluation import Suite, read_suite

SuiteArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Suite file.", show_default=False)]
SkipInvalidOption = Annotated[
    bool, typer.Option("--skip-invalid", help="Leave out lines that are no case, and say how many.")
]


def opened_suite(file: Path, *, skip_invalid: bool) -> Suite:
    """Return the suite in a file, and say on stderr how many lines were left out.

    Raises:
        ConfigurationError: it cannot be used.
    """
    reading = read_suite(file)
    suite = reading.required(skip_invalid=skip_invalid)
    if reading.n_skipped:
        output.note(
            f"{output.counted(reading.n_skipped, 'line')} of {file} left out: `trimtab eval suite check` says why."
        )
    return suite
