"""Tokens a second from a local engine: through the gateway, and from the engine's own endpoint in the same run.

One engine process serves both, and the two take turns, so that what the machine does beside it weighs on both alike.
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from benchmarks.gateway import free_port, send
from benchmarks.load import Order
from benchmarks.processes import cores, running, wait_until
from trimtab.wiring import board_of, load_settings

POLICY = "policy: bench\norganisation: {sensitivity: internal, mode: fixed, prefer: ['bench:model']}\n"
TARGET = 0.95
"""Of the engine's own tokens a second; what the gateway adds must drown in what the model costs."""


@dataclass(frozen=True)
class Target:
    """Who is asked."""

    port: int
    headers: dict[str, str]
    model: str


@dataclass(frozen=True)
class Line:
    """One line of the table: output tokens a second, medians over the rounds."""

    form: str
    n_connections: int
    direct_tokens_per_s: float
    through_tokens_per_s: float
    ratio: float
    """Median of the rounds' own ratios."""
    ratio_low: float
    ratio_high: float


def main(arguments: list[str]) -> int:
    """Measure and print; fail when a ratio misses the target."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as name:
        folder = Path(name)
        _configure(folder, options.model, options.slots)
        with _service(folder) as (through, direct):
            lines = [
                _line(through, direct, form, n_connections, options)
                for form in ("calls", "streams")
                for n_connections in options.connections
            ]
    print(_table(lines))
    if options.json is not None:
        about = {"python": platform.python_version(), "model": options.model.name, "tokens": options.tokens}
        options.json.write_text(json.dumps({**about, "lines": [asdict(line) for line in lines]}, indent=2) + "\n")
    return 1 if any(line.ratio < TARGET for line in lines) else 0


def _line(through: Target, direct: Target, form: str, n_connections: int, options: argparse.Namespace) -> Line:
    pairs = []
    for number in range(options.rounds + 1):
        print(f"{form}, {n_connections} at a time: round {number} of {options.rounds}", file=sys.stderr)
        # Each other round begins with the other one: whoever goes first finds the machine as the last one left it.
        order = (direct, through) if number % 2 else (through, direct)
        found = {id(target): _tokens_per_s(target, form, n_connections, options) for target in order}
        if number:  # the first one warms up
            pairs.append((found[id(direct)], found[id(through)]))
    ratios = [ours / own for own, ours in pairs]
    return Line(
        form=form,
        n_connections=n_connections,
        direct_tokens_per_s=statistics.median(own for own, _ in pairs),
        through_tokens_per_s=statistics.median(ours for _, ours in pairs),
        ratio=statistics.median(ratios),
        ratio_low=min(ratios),
        ratio_high=max(ratios),
    )


def _tokens_per_s(target: Target, form: str, n_connections: int, options: argparse.Namespace) -> float:
    body: dict[str, object] = {
        "model": target.model,
        "messages": [{"role": "user", "content": "List the items of order 4711, one by one."}],
        "max_tokens": options.tokens,
        "ignore_eos": True,  # llama.cpp's own: every answer is as long as it may be
        "temperature": 0,
    }
    if form == "streams":
        body["stream"] = True
    order = Order(
        target.port, options.calls, headers=target.headers, body=json.dumps(body), n_connections=n_connections
    )
    outcome = send(order, cores()[1])
    if outcome.n_errors:
        raise RuntimeError(
            f"{outcome.n_errors} of {options.calls} calls to {target.model} failed: {outcome.first_error}"
        )
    return float(options.calls * options.tokens / outcome.wall_s)


def _configure(folder: Path, model: Path, slots: int) -> None:
    engine = {"name": "bench", "kind": "llama_cpp", "path": str(model.resolve()), "model": "model", "slots": slots}
    price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 4}
    settings = {
        "data_dir": "data",
        "policy_file": "policy.yaml",
        "auth": "none",
        "listen": {"port": free_port()},
        "control": {"port": 0},
        "log_level": "warning",
        "engines": [{**engine, "threads": 1}],
        "models": [{"provider": "bench", "model": "model", "boundary": "inside", "price": price}],
    }
    (folder / "trimtab.yaml").write_text(yaml.safe_dump(settings))
    (folder / "policy.yaml").write_text(POLICY)


@contextmanager
def _service(folder: Path) -> Iterator[tuple[Target, Target]]:
    """Run the gateway with its engine; yield how to ask through it, and past it."""
    settings = load_settings(folder / "trimtab.yaml", environment={})
    board = board_of(settings)

    def is_ready() -> bool:
        board.refresh()
        return any(entry.is_ready for entry in board.entries.values())

    every = cores()[0] | cores()[1]
    with running([sys.executable, "-m", "trimtab", "serve"], on_cores=every, folder=folder) as process:
        wait_until(is_ready, process, folder)
        time.sleep(1.0)  # the worker looks at the board four times a second
        port = urlsplit(board.entries["bench"].base_url).port or 0
        key = board.key_file("bench").read_text()
        yield (
            Target(settings.listen.port, {}, "bench:model"),
            Target(port, {"authorization": f"Bearer {key}"}, "model"),
        )


def _table(lines: list[Line]) -> str:
    rows = ["| Form | At a time | Engine alone, tokens/s | Through Trimtab | Ratio | Lowest to highest |"]
    rows.append("| --- | ---: | ---: | ---: | ---: | --- |")
    rows += [
        f"| {line.form} | {line.n_connections} | {line.direct_tokens_per_s:,.0f} | {line.through_tokens_per_s:,.0f} "
        f"| {line.ratio:.3f} | {line.ratio_low:.3f} to {line.ratio_high:.3f} |"
        for line in lines
    ]
    return "\n".join(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks serving", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, metavar="FILE", help="a GGUF file")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of measurements; the median counts")
    parser.add_argument("--calls", type=int, default=200, help="calls of one measurement")
    parser.add_argument("--tokens", type=int, default=128, help="output tokens of each call")
    parser.add_argument("--slots", type=int, default=4, help="calls the engine works on at a time")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 4, 16], help="calls sent at a time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here as well")
    return parser
