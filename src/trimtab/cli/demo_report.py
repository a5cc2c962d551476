"""The demo's report: what ran, what it cost, how good it was, what the first rungs say, why one call went its way."""

import shutil
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from trimtab.cli import output
from trimtab.cli.demo_run import DemoResult, PoolEntry
from trimtab.control.numbers import percent, quality, usd, usd_text
from trimtab.evaluation import Comparison
from trimtab.lab import ALPHA, MARGIN, PROVEN, Compared, DemoFiles, Part, Rungs
from trimtab.routing import Estimate, Explanation
from trimtab.server import Addresses

_WIDTH = 90
"""Of text beside a label."""
_GAP_WORDS = {
    "met": "none: the bar of {bar:g} is met",
    "left": "{gap} to the bar of {bar:g} is left",
    "open": "{gap} to the bar of {bar:g}: too few cases to say",
}


def print_report(result: DemoResult, files: DemoFiles, addresses: Addresses, *, is_serving: bool, json: bool) -> None:
    """Write the report to stdout, as text or as one JSON document."""
    if json:
        output.print_json({"report": result, "addresses": addresses if is_serving else None})
    else:
        _print_text(result)
        if is_serving:
            _print_addresses(addresses, files, result)
    sys.stdout.flush()  # whoever started this may wait for it while the gateway serves on


def _print_text(result: DemoResult) -> None:
    _print_pool(result.pool)
    _title(f"1. {result.before[-1].n_calls:,} calls under the policy of today: everything on the large model")
    _print_parts(result.before)
    _title(f"2. The same prompts on the small model: {result.evaluated.n_small:,} answers as evidence, not as traffic")
    _print_evidence(result)
    _title(f"3. The ladder's first rungs, with a margin of {_points(MARGIN)}")
    for each in result.rungs:
        print_rungs(each)
    _title(
        f"4. {result.after[-1].n_calls:,} fresh calls under {PROVEN!r}, "
        f"in force {result.applied_s:.1f} s after its file changed"
    )
    _print_parts(result.after)
    output.print_line()
    print_compared(result.moved, result.forecast, result.measured)
    _title("5. Why one of them went where it went")
    _print_why(result.explained_call_id, result.explanation)
    _title("6. The money")
    _print_money(result)


def _title(text: str) -> None:
    output.print_line()
    output.print_line(text)


def _print_pool(pool: list[PoolEntry]) -> None:
    output.print_line("Two language models of ours answer all of this, on this machine. Right or wrong, it is theirs.")
    output.print_table(
        ["Model", ">Parameters", ">Size", ">In $/Mtok", ">Out $/Mtok"],
        (
            [
                entry.model,
                f"{entry.n_parameters / 1e6:.1f} M",
                f"{entry.size_bytes / 1e6:.1f} MB",
                entry.input_usd_per_mtok,
                entry.output_usd_per_mtok,
            ]
            for entry in pool
        ),
    )
    output.print_line("The lab states these prices; nobody sells the models. What is saved below is saved at them.")


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
                _shares(part.calls_by_model),
            ]
            for part in parts
        ),
    )


def _shares(calls_by_model: Mapping[str, int]) -> str:
    n_calls = sum(calls_by_model.values())
    names = [
        (model.partition(":")[0], percent(n / n_calls) if n < n_calls else "") for model, n in calls_by_model.items()
    ]
    return ", ".join(f"{name} {share}".strip() for name, share in names)


def _print_evidence(result: DemoResult) -> None:
    comparison = result.comparison
    if comparison is None:
        output.print_line("Nothing to compare: the large model answered no call.")
        return
    differences = {str(row.stratum): (row.difference, row.lower, row.upper) for row in comparison.strata}
    output.print_table(
        ["Workload", ">n", "Large", "Small", "Small less large"],
        (
            [each.workload, each.n_pairs, _interval(each.large), _interval(each.small), _signed(*difference)]
            for each in result.rungs
            if (difference := differences.get(each.workload)) is not None
        ),
    )
    _print_terms(comparison, result)


def _print_terms(comparison: Comparison, result: DemoResult) -> None:
    n = len(comparison.strata)
    output.print_line(
        "Quality is the share of right answers, with 95 % intervals. Differences are paired by prompt, with"
    )
    output.print_line(f"{100 * comparison.confidence:.1f} % intervals, so that the {n} gates below together")
    output.print_line(f"let a worse model through with chance {ALPHA:g} at most.")
    missing = f", {result.evaluated.n_failed:,} without an answer" if result.evaluated.n_failed else ""
    output.print_line(f"All evaluation of this demo, counted apart: {usd(result.evaluated.cost_nano_usd)}{missing}.")


def print_rungs(rungs: Rungs) -> None:
    """Write one workload's walk: what was asked on each rung, and what came of it."""
    output.print_line(f"{rungs.workload}: {rungs.verdict or _undecided(rungs)}")
    if rungs.shrink is None or rungs.headroom is None or rungs.gap is None or rungs.gap_state is None:
        _print_pair("  Measure", "no graded answer of the large model")
    else:
        _print_pair("  Measure", f"baseline {_interval(rungs.large)}, n = {rungs.n_pairs:,}")
        _print_pair("  Route", f"a perfect router would add {_interval(rungs.headroom)} to the best single model")
        _print_pair("  Shrink", f"{_outcome(rungs)}: {rungs.shrink.reason.partition(':')[0]}")
        _print_pair("  Gap", _GAP_WORDS[rungs.gap_state].format(bar=rungs.quality_bar, gap=_interval(rungs.gap)))
    _print_pair("  So", rungs.next_step)


def _undecided(rungs: Rungs) -> str:
    place = "moves to the small model" if rungs.is_moved else "stays on the large model"
    return f"{place}, a gap is left" if rungs.gap_state == "left" else place


def _outcome(rungs: Rungs) -> str:
    assert rungs.shrink is not None  # asked for measured workloads only
    return str(rungs.shrink.outcome).replace("_", " ")


def _points(fraction: float) -> str:
    return f"{100 * fraction:g} points"


def print_compared(moved: list[str], forecast: Compared | None, measured: Compared | None) -> None:
    """Put what was promised beside what came, each against the large model on the same prompts."""
    rows = (("chosen by, first prompts", forecast), ("measured, fresh prompts", measured))
    output.print_table(
        [PROVEN.capitalize(), "Saved", "Quality", "Quality vs today", ">n", ">Moved"],
        ([label, *_compared(compared)] for label, compared in rows if compared is not None),
    )
    if not moved:
        output.print_line("No workload moved, so both policies are the same: that is an answer, and it saves nothing.")
        return
    output.print_line(f"Moved to the small model: {', '.join(moved)}.")
    output.print_line("Paired by prompt, 95 % intervals. Where the small model served fresh prompts, the large one was")
    output.print_line("asked them too, as evaluation; savings are at the lab's prices.")


def _compared(compared: Compared) -> list[output.Cell]:
    return [
        _saved(compared),
        _interval(compared.quality),
        _signed(compared.quality_difference.mean, compared.quality_difference.lower, compared.quality_difference.upper),
        compared.n_calls,
        compared.n_moved,
    ]


def _saved(compared: Compared) -> str:
    """Return the share of today's cost that is saved; today's cost is known, so the interval is of the saving alone."""
    saved, today = compared.saved_nano_usd, compared.today_nano_usd / compared.n_calls
    if saved is None or not today:
        return "not measured"
    low, mean, high = (100 * value / today for value in (saved.lower, saved.mean, saved.upper))
    return f"{mean:.1f} % [{low:.1f}, {min(high, 100.0):.1f}]"


def _interval(estimate: Estimate | None) -> str:
    """Return a mean with its bounds; its n stands beside it."""
    if estimate is None:
        return "not measured"
    return f"{estimate.mean:.3f} [{estimate.lower:.3f}, {estimate.upper:.3f}]"


def _signed(mean: float, lower: float, upper: float) -> str:
    return f"{mean:+.3f} [{lower:+.3f}, {upper:+.3f}]"


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
    if money.n_untold:
        asked_again = f"{money.n_untold:,} cut or failed, asked again"
        output.print_line(f"{'Told to nobody':22} ${usd_text(money.untold_nano_usd)}   {asked_again}")
    output.print_line(f"{'Total of the journal':22} ${usd_text(money.journal_nano_usd)}   {verdict}")
    output.print_line(f"All this took {output.duration(result.elapsed_s)}.")


def _print_addresses(addresses: Addresses, files: DemoFiles, result: DemoResult) -> None:
    _title("It is still running:")
    gateway = f"{addresses.url}/v1"
    explained = result.moved[0] if result.moved else result.rungs[0].workload
    shown = {
        "Gateway": f"{gateway}   base_url for the openai SDK; any api_key",
        "Pages": f"{addresses.control_url:{len(gateway)}}   sign in with the secret",
        "Secret": f"{addresses.admin_secret}   shown this once",
        "Prompts": f"{files.traffic}   one of them is a question that these models understand",
        "Explain": f"{_command()} -c {files.config} explain {explained}",
        "Replay": f"{_command()} -c {files.config} policy simulate {files.policies}/*.yaml",
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
