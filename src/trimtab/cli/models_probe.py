"""``trimtab models probe``: how fast a model is, how far its context goes, what it can do, and what it draws."""

import asyncio
import sys
from dataclasses import replace
from typing import Annotated

import typer

from trimtab.catalog import ProbeLevel, ProbeResult
from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import JsonOption
from trimtab.control.numbers import count, instant, ms, usd
from trimtab.core.errors import ConfigurationError
from trimtab.serving import ProbePlan
from trimtab.wiring import ProbeTarget, estimate_nano_usd, find_target, keep_probe, measure_target

_LABEL = 12
_DEFAULT = ProbePlan()


def probe(
    context: typer.Context,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="`provider:model`, or a GGUF file.")],
    concurrency: Annotated[
        str, typer.Option("--concurrency", metavar="N,…", help="Calls at a time, each number tried on its own.")
    ] = ",".join(map(str, _DEFAULT.concurrencies)),
    calls: Annotated[int, typer.Option(min=1, metavar="N", help="Calls at each concurrency, at least.")] = (
        _DEFAULT.n_calls
    ),
    input_tokens: Annotated[int, typer.Option(min=16, metavar="N", help="Of each call, about.")] = (
        _DEFAULT.input_tokens
    ),
    output_tokens: Annotated[int, typer.Option(min=2, metavar="N", help="Of each call.")] = _DEFAULT.output_tokens,
    budget_s: Annotated[float, typer.Option(min=1, metavar="S", help="Begin no call after so many seconds.")] = (
        _DEFAULT.budget_s
    ),
    save: Annotated[bool, typer.Option("--save/--no-save", help="Keep the figures on the model's card.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would ask and cost, and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Spend the estimate without asking.")] = False,
    json: JsonOption = False,
) -> None:
    """Measure speed, context, abilities, memory and power.

    Speed by concurrency; a call each for JSON by a schema, a tool and log-probabilities; memory and power where known.

    An engine of the configuration is measured where the service runs it, else on a private copy that ends with the
    command. A model of a provider costs what its calls cost; the estimate comes first.
    """
    settings = invocation_of(context).settings()
    plan = ProbePlan(
        concurrencies=_numbers(concurrency),
        n_calls=calls,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        budget_s=budget_s,
    )
    found = find_target(settings, target, slots=min(max(plan.concurrencies), 8))
    cost_nano_usd = estimate_nano_usd(settings, found, plan)
    plan = replace(plan, checks_context=cost_nano_usd == 0)
    output.note(_announced(found, plan, cost_nano_usd))
    if dry_run:
        return
    if cost_nano_usd != 0 and not yes:
        _ask_to_spend(found.name, cost_nano_usd)
    progress = output.Progress()
    try:
        result = asyncio.run(
            measure_target(settings, found, plan, lambda done, total: progress.update(f"{done:,} of {total:,} calls"))
        )
    finally:
        progress.clear()
    if save and found.is_configured:
        keep_probe(settings, result)
    if json:
        output.print_json(result)
    else:
        _print(result)
    if save and not found.is_configured:
        output.note("Nothing was kept: no engine of the configuration serves this file.")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError as exc:
        raise ConfigurationError(
            f"--concurrency takes whole numbers, not {text[:64]!r}.", hint="For example --concurrency 1,2,4."
        ) from exc


def _announced(target: ProbeTarget, plan: ProbePlan, cost_nano_usd: int | None) -> str:
    tokens = (
        f"{plan.n_total:,} calls, at most {plan.estimated_input_tokens:,} input and "
        f"{plan.estimated_output_tokens:,} output tokens"
    )
    if cost_nano_usd == 0:
        return (
            f"Probing {target.name}: {tokens} beside those that try the context, {plan.budget_s:g} s; no cost per call."
        )
    return f"Probing {target.name}: {tokens}; estimate {usd(cost_nano_usd)}."


def _ask_to_spend(name: str, cost_nano_usd: int | None) -> None:
    why = "has no price, so its calls may cost anything" if cost_nano_usd is None else f"costs {usd(cost_nano_usd)}"
    if not sys.stdin.isatty():
        raise ConfigurationError(f"Probing {name} {why}.", hint="--yes says that this is meant; --dry-run only counts.")
    typer.confirm("Go on?", abort=True, err=True)


def _print(result: ProbeResult) -> None:
    output.print_line(f"{result.model}, {instant(result.measured_at_us)}, n = {result.n_calls:,} timed calls")
    output.print_line()
    columns = [">At a time", ">n", ">Failed", ">TTFT p50", ">TTFT p95", ">Tokens/s a call", ">Tokens/s in all"]
    output.print_table(columns, map(_row, result.levels))
    output.print_line()
    for label, text in _facts(result):
        output.print_pair(label, text, _LABEL)


def _row(level: ProbeLevel) -> list[output.Cell]:
    return [
        level.concurrency,
        level.n_calls,
        level.n_failed,
        ms(level.ttft_p50_ms),
        ms(level.ttft_p95_ms),
        _speed(level.call_output_tokens_per_s),
        _speed(level.output_tokens_per_s),
    ]


def _facts(result: ProbeResult) -> list[tuple[str, str]]:
    light, context, power = result.light, result.context, result.power
    n_light = 0 if light is None else light.n_calls
    saturated = result.saturating_concurrency
    highest = result.levels[-1].concurrency if result.levels else 0
    lines = [
        ("Call", f"{count(result.input_tokens)} input and {count(result.output_tokens)} output tokens (median)"),
        ("Prefill", f"{_speed(result.input_tokens_per_s) or 'unknown'} tokens/s, n = {n_light:,} fresh prompts"),
        ("Saturated", f"not reached at {highest}" if saturated is None else f"from {saturated} at a time"),
        ("Context", f"{_context(context.declared_tokens, context.accepted_tokens, context.is_refused_above)}"),
        *((each.capability, f"{_verdict(each.holds)}: {each.reason}") for each in result.capabilities),
        ("Memory", "unknown" if result.memory_bytes is None else f"{result.memory_bytes / 1e6:,.0f} MB resident"),
        (
            "Power",
            power.source if power.power_w is None else _power(power.power_w, power.wh_per_output_mtok, power.source),
        ),
        ("Model", _model(result)),
    ]
    if context.accepted_tokens is None or context.is_refused_above is not True:
        lines.insert(4, ("", context.reason))
    return lines + [("Note", note) for note in result.notes]


def _context(declared: int | None, accepted: int | None, is_refused_above: bool | None) -> str:
    if declared is None:
        return "unknown"
    tried = "not verified" if accepted is None else f"{accepted:,} answered"
    above = {True: ", longer refused", False: ", longer not refused", None: ""}[is_refused_above]
    return f"{declared:,} tokens declared; {tried}{above}"


def _power(power_w: float, wh_per_mtok: float | None, source: str) -> str:
    energy = "" if wh_per_mtok is None else f", {wh_per_mtok:,.1f} Wh per million output tokens"
    return f"{power_w:,.1f} W{energy} ({source})"


def _model(result: ProbeResult) -> str:
    parts = (
        None if result.n_parameters is None else f"{result.n_parameters / 1e6:,.1f}M parameters",
        result.precision,
        None if result.size_bytes is None else f"{result.size_bytes / 1e6:,.1f} MB",
        None if result.slots is None else f"{result.slots} slots",
        result.engine_version,
    )
    return ", ".join(part for part in parts if part) or "unknown"


def _verdict(holds: bool | None) -> str:
    return {True: "yes", False: "no", None: "unknown"}[holds]


def _speed(tokens_per_s: float | None) -> str | None:
    return None if tokens_per_s is None else f"{tokens_per_s:,.1f}"
