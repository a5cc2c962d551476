"""The options of ``trimtab eval suite import``."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from trimtab.cli.filters import AppOption, SinceOption, SourceOption, UntilOption, instant_us
from trimtab.core import Sensitivity, SensitivityLabel, to_us
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Option, Plan, ScorerSpec
from trimtab.ingest import UNDATED_AT
from trimtab.ingest.suites import MAPPED_KEYS, OUTCOME_FIELDS, TABLE_FIELDS, OutcomeChoice, SuiteOptions, read_groups
from trimtab.replay import Allocation, SampleChoice, StratumBy
from trimtab.store import CallFilter

SuiteSource = Literal["csv", "inspect", "outcomes", "journal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteFlags:
    """What the suite is called and how its runs will be compared; one option a field."""

    name: Annotated[str | None, typer.Option(metavar="NAME", help="Of the suite; else that of the file.")] = None
    suite_version: Annotated[str, typer.Option(metavar="VERSION", help="Of the suite.")] = "1"
    scorer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Grades answers; else told by the source, else exact_match.")
    ] = None
    scorer_option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="One of its options, the value in JSON or plain.")
    ] = None
    margin: Annotated[float, typer.Option(metavar="SHARE", help="Loss that would be accepted, fixed before a run.")] = (
        0.02
    )
    alpha: Annotated[float, typer.Option(metavar="SHARE", help="One-sided error of each test.")] = 0.05
    protect: Annotated[
        list[str] | None, typer.Option(metavar="STRATUM", help="May veto; all of them when left out.")
    ] = None
    traffic: Annotated[
        list[str] | None,
        typer.Option(metavar="STRATUM=SHARE", help="Share in the real traffic; --from journal measures it."),
    ] = None
    judge_floor: Annotated[
        float, typer.Option(metavar="SHARE", help="What a judge's measured rates must reach before a gate believes it.")
    ] = 0.7

    def plan(self) -> Plan:
        """Return how runs will be compared.

        Raises:
            ConfigurationError: a share cannot be read.
        """
        spec = self.spec()
        return Plan(
            scorer=ScorerSpec(name="exact_match") if spec is None else spec,
            margin=self.margin,
            alpha=self.alpha,
            protected=None if self.protect is None else tuple(self.protect),
            traffic=None if self.traffic is None else dict(map(_share, self.traffic)),
            judge_floor=self.judge_floor,
        )

    def spec(self) -> ScorerSpec | None:
        """Return the scorer that was asked for.

        Raises:
            ConfigurationError: it has options and no name, or an option cannot be read.
        """
        given = dict(_pair(text, "--scorer-option", "NAME=VALUE") for text in self.scorer_option or ())
        if self.scorer is None and given:
            raise ConfigurationError("--scorer-option belongs to a scorer.", hint="Name it: --scorer numeric.")
        options = {name: _option(value) for name, value in given.items()}
        return None if self.scorer is None else ScorerSpec(name=self.scorer, options=options)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFlags:
    """How files are read; one option a field."""

    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help=f"Column of a table ({', '.join(TABLE_FIELDS)}), column of outcomes ({', '.join(OUTCOME_FIELDS)}), or "
            f"key of Inspect's metadata ({', '.join(MAPPED_KEYS)}).",
        ),
    ] = None
    stratum: Annotated[
        str | None, typer.Option(metavar="NAME", help="Stratum of cases for which the file names none.")
    ] = None
    score: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which of an Inspect log's scorers counts; else its first.")
    ] = None
    provider: Annotated[
        str | None, typer.Option(metavar="NAME", help="First half of provider:model where the file has none.")
    ] = None
    at: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Time (UTC) of answers that carry none; else 1970-01-01."),
    ] = None

    def options(self, flags: SuiteFlags, output: Path, known: tuple[str, ...]) -> SuiteOptions:
        """Return what an import is told.

        Args:
            flags: Those of the suite.
            output: Its file, by which it is called where no name was given.
            known: Fields that may be mapped.

        Raises:
            ConfigurationError: an option cannot be used.
        """
        at_us = instant_us(self.at, "--at")
        mapping = dict(_pair(text, "--map", "FIELD=COLUMN") for text in self.map_ or ())
        for field in mapping:
            if field not in known:
                raise ConfigurationError(
                    f"--map {field}=…: there is no field {field!r} here.", hint=f"Fields: {', '.join(known) or 'none'}."
                )
        return SuiteOptions(
            name=flags.name or output.name.partition(".")[0],
            version=flags.suite_version,
            plan=flags.plan(),
            scorer=flags.spec(),
            mapping=mapping,
            stratum=self.stratum,
            provider=self.provider,
            at_us=to_us(UNDATED_AT) if at_us is None else at_us,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeFlags:
    """What is taken of recorded outcomes; one option a field."""

    dataset: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Recorded outcomes of this dataset only; may come again.")
    ] = None
    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Recorded outcomes of this model only; may come again.")
    ] = None
    stratum_pattern: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Cuts the stratum out of the column that --map stratum names, else out of prompt_id: its first group.",
        ),
    ] = None
    group: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YAML lines `group: [stratum, …]`; others are left out."),
    ] = None

    def choice(self) -> OutcomeChoice:
        """Return what is taken.

        Raises:
            ConfigurationError: the pattern or the file of groups cannot be used.
        """
        try:
            pattern = None if self.stratum_pattern is None else re.compile(self.stratum_pattern)
        except re.error as exc:
            raise ConfigurationError(
                f"--stratum-pattern {self.stratum_pattern!r} is no regular expression: {exc}.",
                hint="For example 'mmlu-(.+)-[0-9]+'.",
            ) from exc
        return OutcomeChoice(
            datasets=None if self.dataset is None else frozenset(self.dataset),
            models=None if self.model is None else tuple(dict.fromkeys(self.model)),
            pattern=pattern,
            groups=None if self.group is None else read_groups(self.group),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFlags:
    """Which calls of the journal become cases; one option a field."""

    cases: Annotated[int, typer.Option(min=1, max=100_000, metavar="N", help="Cases to draw from the journal.")] = 300
    by: Annotated[StratumBy, typer.Option(help="What the journal's strata are.")] = "workload"
    allocation: Annotated[
        Allocation, typer.Option(help="Cases by each stratum's share of the traffic, or the same number for all.")
    ] = "proportional"
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed draws the same of the same calls.")] = 0
    baseline: Annotated[
        str | None, typer.Option(metavar="NAME", help="Expect this model's answers; else those of whoever answered.")
    ] = None
    max_sensitivity: Annotated[
        SensitivityLabel, typer.Option(help="More sensitive calls are left out, and counted.")
    ] = "internal"
    min_quality: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="SHARE", help="An answer judged below this is not expected of anybody."),
    ] = 0.5
    workload: Annotated[
        str | None, typer.Option("--workload", "-w", metavar="NAME", help="Calls of this workload only.")
    ] = None
    app: AppOption = None
    calls_from: SourceOption = None
    since: SinceOption = None
    until: UntilOption = None

    def choice(self) -> SampleChoice:
        """Return which calls become cases."""
        return SampleChoice(
            n_cases=self.cases,
            by=self.by,
            allocation=self.allocation,
            seed=self.seed,
            baseline=self.baseline,
            max_sensitivity=Sensitivity[self.max_sensitivity.upper()],
            min_quality=self.min_quality,
        )

    def filter(self) -> CallFilter:
        """Return the window.

        Raises:
            ConfigurationError: a time cannot be read.
        """
        return CallFilter(
            workload=self.workload,
            app=self.app,
            source=self.calls_from,
            since_us=instant_us(self.since, "--since"),
            until_us=instant_us(self.until, "--until"),
        )


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise ConfigurationError(f"{option} {text!r} is not {form}.", hint="Write name and value with = between.")
    return name.strip(), value.strip()


def _share(text: str) -> tuple[str, float]:
    stratum, share = _pair(text, "--traffic", "STRATUM=SHARE")
    try:
        return stratum, float(share)
    except ValueError as exc:
        raise ConfigurationError(f"--traffic {text!r} has no share.", hint="Write --traffic routine=0.9.") from exc


def _option(text: str) -> Option:
    try:
        value: Option = msgspec.json.decode(text, type=Option)
    except msgspec.DecodeError:
        return text
    return value
