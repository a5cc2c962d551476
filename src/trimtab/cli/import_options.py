"""The options of ``trimtab calls import``, and what they say about the files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from trimtab.cli.filters import instant_us
from trimtab.core import Sensitivity, SensitivityLabel, StoreMode, to_us
from trimtab.core.errors import ConfigurationError
from trimtab.ingest import (
    TARGETS,
    UNDATED_AT,
    Format,
    ImportOptions,
    Source,
    check_mapping,
    container_of,
    read_mapping,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFlags:
    """One option a field; see ``trimtab.cli.options``."""

    format: Annotated[Format | None, typer.Option(help="What the files are; else told by their columns.")] = None
    requests: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Input file of an OpenAI batch, for its output file.")
    ] = None
    mapping: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML file of `field: column` lines, for any table.")
    ] = None
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help=f"One such line. Fields: {', '.join(TARGETS)}."),
    ] = None
    at: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Time (UTC) of rows that carry none; else 1970-01-01.")
    ] = None
    sensitivity: Annotated[SensitivityLabel, typer.Option(help="Label of rows that carry none.")] = "restricted"
    provider: Annotated[
        str | None, typer.Option(metavar="NAME", help="First half of provider:model where the file has none.")
    ] = None
    app: Annotated[str, typer.Option("--app", metavar="NAME", help="App of rows that name none.")] = "default"
    workload: Annotated[
        str | None, typer.Option(metavar="NAME", help="Workload of every row, whatever the file says.")
    ] = None
    store: Annotated[
        Literal["metadata", "redacted", "full"],
        typer.Option(help="Keep prompts and answers: not, with identifiers masked, or as they are."),
    ] = "metadata"
    price: Annotated[bool, typer.Option(help="Price calls that carry tokens and no cost from the price list.")] = True
    max_errors: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Bad lines to accept; one more stops it. Else all are read, and any is exit code 1.",
        ),
    ] = None
    rejected: Annotated[Path | None, typer.Option(metavar="FILE", help="Write bad lines here, with their content.")] = (
        None
    )
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and count, store nothing.")] = False

    def sources(self, files: Sequence[Path]) -> list[Source]:
        """Return how to read each file; one that is missing or empty is refused before another one is stored.

        Raises:
            ConfigurationError: an option cannot be used, or not with these files; or a file cannot be read.
        """
        options, columns = self._options(), self._columns()
        if self.requests is not None and len(files) > 1:
            raise ConfigurationError("--requests belongs to one output file.", hint="Import batch by batch.")
        if self.rejected is not None and self.rejected.resolve() in {path.resolve() for path in files}:
            raise ConfigurationError(
                f"--rejected {self.rejected} is one of the files to read.", hint="Name another file."
            )
        for path in files:
            container_of(path)
        return [
            Source(path=path, format=self.format, options=options, mapping=columns, requests=self.requests)
            for path in files
        ]

    def _options(self) -> ImportOptions:
        at_us = instant_us(self.at, "--at")
        return ImportOptions(
            at_us=to_us(UNDATED_AT) if at_us is None else at_us,
            sensitivity=Sensitivity[self.sensitivity.upper()],
            provider=self.provider,
            app=self.app,
            workload=self.workload,
            store=StoreMode(self.store),
        )

    def _columns(self) -> dict[str, str]:
        columns = read_mapping(self.mapping) if self.mapping is not None else {}
        for pair in self.map_ or ():
            field, equals, column = pair.partition("=")
            if not equals or not field or not column:
                raise ConfigurationError(
                    f"--map {pair!r} is not FIELD=COLUMN.", hint="For example --map model=llm_name."
                )
            columns[field] = column
        origin = str(self.mapping) if self.mapping is not None and not self.map_ else "--map"
        return check_mapping(columns, origin) if columns else {}
