"""The demo's report: what ran, what it cost, how good it was, and why one call went where it went."""

import shutil
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from trimtab.cli import output
from trimtab.cli.demo_run import EXPLAINED_WORKLOAD, MARGIN, DemoResult
from trimtab.control.numbers import percent, quality, usd_text
from trimtab.lab import NOTE, PROVIDER, DemoFiles, Part
from trimtab.replay import Result
from trimtab.routing import Estimate, Explanation
from trimtab.server import Addresses

_COMPARED = ("Saved", "Quality", "Quality vs today", ">n")
_WIDTH = 90
"""Of text beside a label."""


def print_report(result: DemoResult, files: DemoFiles, addresses: Addresses, *, is_serving: bool, json: bool) -> None:
    """Write the report to stdout, as text or as one JSON document."""
    if json:
        output.print_json({"report": result, "addresses": addresses if is_serving else None})
    else:
        _print_text(result)
        if is_serving:
            _print_addresses(addresses, files)
    sys.stdout.flush()  # whoever started this may wait for it while the gateway serves on


def _print_text(result: DemoResult) -> None:
    output.print_line(NOTE)
    n_before, n_after = result.before[-1].n_calls, result.after[-1].n_calls
    _title(f"1. {n_before:,} calls under the policy of today")
    _print_parts(result.before)
    _title(f"2. Other policies on the same prompts, with {result.n_imported:,} outcomes of the other models")
    _print_policies(result)
    _title(
        f"3. {n_after:,} new calls under {result.chosen!r}, in force {result.applied_s:.1f} s after its file changed"
    )
    _print_parts(result.after)
    output.print_line()
    _print_forecast(result)
    _title("4. Why one of them went where it went")
    _print_why(result.explained_call_id, result.explanation)
    _title("5. The money")
    _print_money(result)


def _title(text: str) -> None:
    output.print_line()
    output.print_line(text)


def _print_parts(parts: list[Part]) -> None:
    output.print_table(
        ["Workload", ">Calls", ">Cost", ">Per 1,000", "Quality", "Answered by"],
        (
            [
                part.workload,
                part.n_calls,
                output.Usd(part.cost_nano_usd),
                output.Usd(part.cost_per_1000_nano_usd),
                quality(part.quality),
                _shares(part.calls_by_model) if part is not parts[-1] else "",
            ]
            for part in parts
        ),
    )


def _shares(calls_by_model: Mapping[str, int]) -> str:
    n_calls = sum(calls_by_model.values())
    names = [
        (model.removeprefix(f"{PROVIDER}:"), percent(n / n_calls) if n < n_calls else "")
        for model, n in calls_by_model.items()
    ]
    return ", ".join(f"{name} {share}".strip() for name, share in names)


def _print_policies(result: DemoResult) -> None:
    today = result.simulation.recorded
    rows: list[list[output.Cell]] = [
        ["today", output.Usd(_per_1000(today)), "", _interval(today.quality), "", today.n_calls]
    ]
    rows += [[row.name, output.Usd(_per_1000(row)), *_against(row, today)] for row in result.simulation.policies]
    output.print_table(["Policy", ">Per 1,000", *_COMPARED], rows)
    output.print_line("Paired by prompt, 95 % intervals. The policies choose by scores on these same prompts.")
    output.print_line(_choice(result))


def _choice(result: DemoResult) -> str:
    if result.is_proven:
        return f"Chosen: {result.chosen}, the cheapest whose whole interval lies above a loss of {MARGIN}."
    return f"Chosen: {result.chosen}. It loses least; these are too few calls to prove a loss below {MARGIN}."


def _against(row: Result, today: Result) -> list[output.Cell]:
    """Return the cells of ``_COMPARED`` for what was simulated beside what was recorded."""
    return [
        _saved(_per_call(today), _negated(row.cost_difference_nano_usd)),
        _interval(row.quality),
        _interval(row.quality_difference, sign="+"),
        row.n_calls,
    ]


def _per_call(row: Result) -> float:
    n_priced = row.n_calls - row.n_refused - row.n_unpriced
    return row.cost_nano_usd / n_priced if n_priced else 0.0


def _per_1000(row: Result) -> int:
    return round(1000 * _per_call(row))


def _saved(today_nano_usd: float, difference: Estimate | None) -> str:
    """Return the share of today's cost that is saved, from the difference to it; nobody saves more than all of it.

    Args:
        today_nano_usd: Cost of one call of today. It is known, so the interval is of the difference alone.
        difference: What is saved on one call.
    """
    if difference is None or not today_nano_usd:
        return "not measured"
    low, mean, high = (
        min(100 * saved / today_nano_usd, 100.0) for saved in (difference.lower, difference.mean, difference.upper)
    )
    return f"{mean:.1f} % [{low:.1f}, {high:.1f}]"


def _negated(estimate: Estimate | None) -> Estimate | None:
    if estimate is None:
        return None
    return Estimate(mean=-estimate.mean, lower=-estimate.upper, upper=-estimate.lower, n_samples=estimate.n_samples)


def _interval(estimate: Estimate | None, *, sign: str = "") -> str:
    """Return a mean with its bounds; its n stands in a column of its own."""
    if estimate is None:
        return "not measured"
    mean, lower, upper = (f"{value:{sign}.3f}" for value in (estimate.mean, estimate.lower, estimate.upper))
    return f"{mean} [{lower}, {upper}]"


def _print_forecast(result: DemoResult) -> None:
    """Put what was promised beside what came: the new calls against today's policy on the same prompts."""
    promised = next(row for row in result.simulation.policies if row.name == result.chosen)
    today, came = result.counterfactual.policies[0], result.counterfactual.recorded
    measured: list[output.Cell] = [
        _saved(_per_call(today), today.cost_difference_nano_usd),
        _interval(came.quality),
        _interval(_negated(today.quality_difference), sign="+"),
        came.n_calls,
    ]
    output.print_table(
        [result.chosen.capitalize(), *_COMPARED],
        [
            ["simulated, first prompts", *_against(promised, result.simulation.recorded)],
            ["measured, new prompts", *measured],
        ],
    )


def _print_why(call_id: str, shown: Explanation) -> None:
    _print_pair("Call", call_id)
    _print_pair("Chosen", shown.model or "nobody")
    _print_pair("Because", shown.reason)
    _print_pair("Policy", f"{shown.policy_id} {shown.policy_version[:12]}: {', '.join(shown.rule_ids)}")
    for removal in shown.removed:
        _print_pair("Removed", removal.reason)
    _print_pair("Then", ", ".join(shown.failovers) or "nobody else may be asked")


def _print_pair(name: str, text: str) -> None:
    first, *rest = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    output.print_line(f"{name:9} {first}")
    for line in rest:
        output.print_line(f"{'':9} {line}")


def _print_money(result: DemoResult) -> None:
    money = result.money
    verdict = "the same, to the nano-dollar" if money.agrees else "THEY DIFFER"
    output.print_line(f"{money.n_calls:,} answers, {money.n_streamed:,} of them streamed")
    output.print_line(f"{'Told to the callers':22} ${usd_text(money.answers_nano_usd)}")
    output.print_line(f"{'Total of the journal':22} ${usd_text(money.journal_nano_usd)}   {verdict}")
    output.print_line(f"All this took {output.duration(result.elapsed_s)}.")


def _print_addresses(addresses: Addresses, files: DemoFiles) -> None:
    _title("It is still running:")
    gateway = f"{addresses.url}/v1"
    shown = {
        "Gateway": f"{gateway}   base_url for the openai SDK; any api_key",
        "Pages": f"{addresses.control_url:{len(gateway)}}   sign in with the secret",
        "Secret": f"{addresses.admin_secret}   shown this once",
        "Explain": f"{_command()} -c {files.config} explain {EXPLAINED_WORKLOAD}",
        "Change": f"edit {files.policy}; it is checked and in force within a second",
        "Stop": "Ctrl-C",
    }
    for label, text in shown.items():
        output.print_line(f"{label:9} {text}")  # never broken: these are to be copied


def _command() -> str:
    """Return what starts this program from here, ready to be pasted: after `make demo` it is not on the PATH."""
    if shutil.which("trimtab"):
        return "trimtab"
    return sys.argv[0] if Path(sys.argv[0]).name == "trimtab" else f"{sys.executable} -m trimtab"
