"""``trimtab eval run``: ask models a suite, grade the answers and keep both."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.eval_progress import RunProgress
from trimtab.cli.eval_report import EvaluationReport, print_report
from trimtab.cli.eval_suite_options import SkipInvalidOption, opened_suite
from trimtab.cli.filters import JsonOption
from trimtab.cli.options import with_options
from trimtab.cli.spending import ask_to_spend
from trimtab.control.numbers import usd
from trimtab.core import SystemClock
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Option, ScorerSpec, Suite
from trimtab.replay.evaluating import summarise
from trimtab.server import status_of
from trimtab.store import Database, EvaluationStore, StoredRun
from trimtab.wiring import Settings
from trimtab.wiring.evaluating import Asker, Evaluation, Order, Part, Sampling, inner_gateway, outer_gateway

FAILED = 3
"""Exit code when a model answered nothing at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOptions:
    """How each case is asked."""

    samples: Annotated[int, typer.Option(min=1, metavar="K", help="Ask each case so often.")] = 1
    seed: Annotated[
        int | None, typer.Option(metavar="S", help="Sent with each case's first sample; the others get the next ones.")
    ] = None
    temperature: Annotated[float | None, typer.Option(min=0, max=2, metavar="T", help="Left out: 0.")] = None
    max_tokens: Annotated[int, typer.Option(min=1, metavar="M", help="Longest answer.")] = 256
    stream: Annotated[bool, typer.Option("--stream/--no-stream", help="A stream alone shows when it began.")] = True
    deadline: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="For one case, tries included.")] = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOptions:
    """Through which gateway, how many at a time."""

    concurrency: Annotated[
        str | None,
        typer.Option(
            metavar="N|MODEL=N,…", help="Requests under way on each model; left out: its engine's slots, or 4."
        ),
    ] = None
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Take answers that earlier runs got to equal requests.")
    ] = True
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Ask through a gateway that runs, or any server of OpenAI's form."),
    ] = None
    key: Annotated[str | None, typer.Option(metavar="KEY", help="Of that gateway.")] = None
    key_env: Annotated[str | None, typer.Option(metavar="NAME", help="Environment variable that holds the key.")] = None
    sensitivity: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Of every request; restricted ones stay inside.")
    ] = None


@with_options
def run_suite(
    context: typer.Context,
    suite: Annotated[Path | None, typer.Option("--suite", metavar="FILE", help="Suite file.")] = None,
    models: Annotated[
        str | None,
        typer.Option("--models", metavar="A,B,…", help="`provider:model` each; `auto` or `workload/NAME` is routed."),
    ] = None,
    *,
    sampling: SamplingOptions,
    way: WayOptions,
    scorer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Instead of the suite's; a name, or JSON with name and options.")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Go on with an interrupted run and the suite of then."),
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Begin again although an interrupted run could go on.")] = False,
    ask_above: Annotated[
        float, typer.Option(min=0, metavar="USD", help="Estimates above it, and unknown ones, need a yes.")
    ] = 1.0,
    yes: Annotated[bool, typer.Option("--yes", help="Spend the estimate without asking.")] = False,
    skip_invalid: SkipInvalidOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would ask and cost, and stop.")] = False,
    json: JsonOption = False,
) -> int:
    """Ask models a suite's cases, grade the answers and keep both.

    An interrupted run goes on when the same command is given again. Calls pass through the gateway: policy, budgets
    and the journal hold for them. A case without an answer counts as wrong.
    """
    invocation = invocation_of(context)
    settings = invocation.settings()
    with closing(invocation.open_database()) as database:
        store = EvaluationStore(database, SystemClock())
        order = _order(sampling, way, scorer, is_new=new)
        if resume is not None:
            if suite is not None or models is not None:
                raise ConfigurationError("--resume knows its suite and model.", hint="Leave --suite and --models out.")
            evaluation = _resumed(settings, store, store.find(resume), order)
        else:
            if suite is None or not models:
                raise ConfigurationError(
                    "A run needs --suite FILE and --models NAME,….", hint="`trimtab models list` shows the models."
                )
            opened = opened_suite(suite, skip_invalid=skip_invalid)
            evaluation = Evaluation(settings, store, opened, _names(models), order)
        _announce(evaluation)
        if dry_run:
            if json:
                output.print_json([part.estimate for part in evaluation.parts])
            return 0
        if not yes:
            left = [part.estimate for part in evaluation.parts if part.estimate.n_left]
            ask_to_spend(
                left,
                ask_above,
                hint="--yes says that this is meant, --ask-above sets the limit, --dry-run only counts.",
            )
        runs = _run(settings, database, evaluation, order)
        report = report_of(store, evaluation.suite, runs)
    if json:
        output.print_json(report)
    else:
        print_report(report)
    return FAILED if any(run.is_silent for run in report.runs) else 0


def report_of(store: EvaluationStore, suite: Suite, runs: Sequence[StoredRun]) -> EvaluationReport:
    """Return the figures of some runs over one suite."""
    return EvaluationReport(
        suite=suite.name,
        version=suite.version,
        digest=suite.digest,
        n_cases=len(suite.cases),
        runs=tuple(summarise(store, run, suite) for run in runs),
    )


def scorer_spec(text: str) -> ScorerSpec:
    """Return a scorer from an option: a name, or JSON as suites write it.

    >>> scorer_spec("numeric").name, scorer_spec('{"name": "numeric", "options": {"absolute": 0.5}}').options
    ('numeric', {'absolute': 0.5})
    """
    if not text.lstrip().startswith("{"):
        return ScorerSpec(name=text)
    try:
        return msgspec.json.decode(text, type=ScorerSpec)
    except msgspec.DecodeError as exc:
        raise ConfigurationError(
            f"--scorer is no scorer: {exc}.", hint='For example --scorer \'{"name": "numeric", "options": {}}\'.'
        ) from exc


def _order(sampling: SamplingOptions, way: WayOptions, scorer: str | None, *, is_new: bool) -> Order:
    return Order(
        sampling=Sampling(
            temperature=0.0 if sampling.temperature is None else sampling.temperature,
            max_tokens=sampling.max_tokens,
            is_stream=sampling.stream,
        ),
        seed=sampling.seed,
        n_samples=sampling.samples,
        deadline_s=sampling.deadline,
        scorer=None if scorer is None else scorer_spec(scorer),
        n_concurrent=_concurrency(way.concurrency),
        has_cache=way.cache,
        is_new=is_new,
        url=way.url,
        key=_key(way),
        sensitivity=way.sensitivity,
    )


def _key(way: WayOptions) -> str | None:
    if way.key_env is None:
        return way.key
    key = os.environ.get(way.key_env)
    if key is None:
        raise ConfigurationError(f"There is no environment variable {way.key_env}.", hint="--key-env names one.")
    return key


def _names(text: str) -> list[str]:
    return [name for word in text.split(",") if (name := word.strip())]


def _concurrency(text: str | None) -> dict[str, int] | int | None:
    if text is None:
        return None
    found: dict[str, int] = {}
    for word in _names(text):
        name, _, number = word.rpartition("=")
        if not number.isdecimal() or not int(number):
            raise ConfigurationError(
                f"--concurrency takes numbers from 1, not {word[:64]!r}.",
                hint="For example 8, or local:small=2,openai:x=16.",
            )
        found[name] = int(number)
    return found[""] if found.keys() == {""} else found


def _resumed(settings: Settings, store: EvaluationStore, run: StoredRun, order: Order) -> Evaluation:
    """Take an interrupted run's own suite, scorer and sampling; the way to its model is the command's."""
    if run.state == "finished":
        raise ConfigurationError(f"Run {run.run_id} is finished.", hint="`trimtab eval list` shows each run's state.")
    options = run.plan.options
    temperature, deadline_s = options.get("temperature"), options.get("deadline_s")
    order = Order(
        sampling=Sampling(
            temperature=float(temperature) if isinstance(temperature, int | float) else None,
            max_tokens=int(str(options["max_tokens"])),
            is_stream=bool(options.get("stream", True)),
        ),
        seed=run.plan.seed,
        n_samples=run.plan.n_samples,
        deadline_s=float(deadline_s) if isinstance(deadline_s, int | float) else order.deadline_s,
        scorer=run.plan.scorers[0].spec,
        n_concurrent=order.n_concurrent,
        has_cache=order.has_cache,
        url=order.url,
        key=order.key,
        sensitivity=_text(options.get("sensitivity")),
    )
    evaluation = Evaluation(settings, store, store.load_suite(run.plan.suite_digest), [run.plan.model], order)
    (part,) = evaluation.parts
    if part.unfinished is None or part.unfinished.run_id != run.run_id:
        raise ConfigurationError(
            f"Run {run.run_id} cannot go on: its model or a scorer is another version now.",
            hint="Run the suite again: answers that are still valid come from the cache.",
        )
    return evaluation


def _text(option: Option) -> str | None:
    return option if isinstance(option, str) else None


def _announce(evaluation: Evaluation) -> None:
    for part in evaluation.parts:
        output.note(announced(part))


def announced(part: Part) -> str:
    """Return what will be asked of a model and what that costs at most."""
    estimate = part.estimate
    known = [
        *([f"{estimate.n_recorded:,} recorded by {part.unfinished.run_id}"] if part.unfinished is not None else []),
        *([f"{estimate.n_cached:,} in the cache"] if estimate.n_cached else []),
    ]
    asked = f"{estimate.n_left:,} of {output.counted(estimate.n_requests, 'request')}"
    tokens = f"about {estimate.input_tokens:,} input and at most {estimate.max_output_tokens:,} output tokens"
    left = f" ({', '.join(known)})" if known else ""
    return f"{estimate.model}: {asked} to ask{left}; {tokens}; {_price(part)}"


def _price(part: Part) -> str:
    estimate = part.estimate
    hourly = "" if estimate.usd_per_hour is None else f"; its machine is ${estimate.usd_per_hour} an hour"
    if estimate.cost_nano_usd is not None:
        return f"at most {usd(estimate.cost_nano_usd)}{hourly}."
    if estimate.is_own_machine:
        return f"on this machine, whose price is unknown{hourly}."
    return f"price unknown{hourly}."


def _run(settings: Settings, database: Database, evaluation: Evaluation, order: Order) -> list[StoredRun]:
    progress = RunProgress({part.target.name: part.estimate.n_requests for part in evaluation.parts})
    gateway = _gateway(settings, database, evaluation, order, progress)
    try:
        return asyncio.run(evaluation.run(gateway, progress.update))
    except KeyboardInterrupt:
        progress.clear()
        output.note(f"Kept: {output.counted(progress.n_done, 'answer')}. The same command goes on from there.")
        raise
    finally:
        progress.clear()


def _gateway(
    settings: Settings, database: Database, evaluation: Evaluation, order: Order, progress: RunProgress
) -> AbstractAsyncContextManager[Asker]:
    if order.url is not None:
        return outer_gateway(settings, order.url, order.key, sensitivity=order.sensitivity)
    return inner_gateway(
        settings,
        database,
        evaluation.models,
        status_of=status_of,
        sensitivity=order.sensitivity,
        say=progress.say,
    )
