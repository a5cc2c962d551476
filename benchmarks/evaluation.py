"""CPU time of an evaluation run against a plain asyncio loop over the same calls, and against Inspect AI.

All ask the same local mock and take turns, so that what the machine does beside it weighs on all alike. A whole run of
ours decides by policy, prices, journals and grades each call and keeps every answer in the database; the plain loop
keeps the answers in a list.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.gateway import upstream

TARGET = 1.5
"""Times the plain loop's CPU that a run may take."""
_NAMES = {
    "plain": "plain loop, httpx2",
    "ours": "trimtab eval run",
    "ours-redacted": "... with redacted bodies kept in the journal too",
    "openai": "plain loop, openai",
    "inspect": "Inspect AI",
}
_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Line:
    """One contender in one form: CPU milliseconds a call, and how that compares with the plain loop of its round."""

    contender: str
    form: str
    cpu_ms_per_call: float
    ratio: float
    """Median of the rounds' own ratios."""
    ratio_low: float
    ratio_high: float


def main(arguments: list[str]) -> int:
    """Measure and print; fail when a run takes more than the target."""
    options = _parser().parse_args(arguments)
    with upstream() as port:
        lines = [line for form in options.forms for line in _lines(form, port, options)]
    print(_table(lines))
    if options.inspect is None:
        print("\n- Inspect AI: absent, --inspect PYTHON names an environment that has it.")
    if options.json is not None:
        about = {"python": platform.python_version(), "cases": options.cases, "at_a_time": options.concurrency}
        options.json.write_text(json.dumps({**about, "lines": [asdict(line) for line in lines]}, indent=2) + "\n")
    return 1 if any(line.ratio > TARGET for line in lines if line.contender == "ours") else 0


def _lines(form: str, port: int, options: argparse.Namespace) -> list[Line]:
    contenders = ["plain", "ours", "ours-redacted", "openai"]
    if form == "calls" and options.inspect is not None:
        contenders.append("inspect")
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(options.rounds):
        print(f"{form}: round {number + 1} of {options.rounds}", file=sys.stderr)
        # Each other round begins at the other end: whoever goes first finds the machine as the last one left it.
        for name in contenders if number % 2 else reversed(contenders):
            found[name].append(_cpu_ms(name, form, port, options))
    return [_line(name, form, found[name], found["plain"]) for name in contenders]


def _line(contender: str, form: str, own: Sequence[float], plain: Sequence[float]) -> Line:
    ratios = [each / base for each, base in zip(own, plain, strict=True)]
    return Line(contender, form, statistics.median(own), statistics.median(ratios), min(ratios), max(ratios))


def _cpu_ms(contender: str, form: str, port: int, options: argparse.Namespace) -> float:
    cases, at_a_time = str(options.cases), str(options.concurrency)
    if contender == "inspect":
        script = str(Path(__file__).with_name("evaluation_inspect.py"))
        command = [str(options.inspect), script, str(port), cases, at_a_time]
    else:
        module = "benchmarks.evaluation_loops"
        command = [sys.executable, "-m", module, contender, form, str(port), cases, at_a_time]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{contender} failed:\n{done.stderr[-2000:]}")
    cpu_s: float = json.loads(done.stdout.strip().splitlines()[-1])["cpu_s"]
    return cpu_s * 1000 / int(options.cases)


def _table(lines: Sequence[Line]) -> str:
    rows = [
        "| Contender | Form | CPU ms a call | Times the plain loop | Lowest to highest |",
        "| --- | --- | ---: | ---: | --- |",
    ]
    rows += [
        f"| {_NAMES[line.contender]} | {line.form} | {line.cpu_ms_per_call:.2f} | {line.ratio:.2f} "
        f"| {line.ratio_low:.2f} to {line.ratio_high:.2f} |"
        for line in lines
    ]
    return "\n".join(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks evaluation", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="times that each is measured; the median counts")
    parser.add_argument("--cases", type=int, default=500, help="calls of one measurement")
    parser.add_argument("--concurrency", type=int, default=16, help="calls at a time")
    parser.add_argument("--forms", nargs="+", choices=["calls", "streams"], default=["calls", "streams"])
    parser.add_argument("--inspect", type=Path, metavar="PYTHON", help="a Python with Inspect AI")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here as well")
    return parser
