"""The gateway benchmark's table and its JSON."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.gateway import Measured

_COLUMNS: tuple[tuple[str, "Callable[[Measured], float | None]", str], ...] = (
    ("CPU s / 1,000 calls", lambda line: line.cpu_s_per_1000_calls, "{:.3f}"),
    ("CPU s / 1,000 streams", lambda line: line.cpu_s_per_1000_streams, "{:.2f}"),
    ("µs / chunk", lambda line: line.cpu_us_per_chunk, "{:.0f}"),
    ("added p50 ms", lambda line: line.added_p50_ms, "{:.2f}"),
    ("added p99 ms", lambda line: line.added_p99_ms, "{:.2f}"),
    ("idle MB", lambda line: line.idle_rss_mb, "{:.0f}"),
    ("ready s", lambda line: line.ready_s, "{:.2f}"),
)


def table(results: "Sequence[Measured]") -> str:
    """Return a Markdown table; the column of ratios is relative to ours. Absent and broken ones are listed below."""
    ours = next((line.cpu_s_per_1000_calls for line in results if line.kind == "ours"), None)
    header = ["System", *(title for title, _, _ in _COLUMNS), "calls, times ours"]
    lines = ["| " + " | ".join(header) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
    for line in results:
        if not line.problem:
            cells = [_shown(figure(line), form) for _, figure, form in _COLUMNS]
            ratio = None if not ours or line.cpu_s_per_1000_calls is None else line.cpu_s_per_1000_calls / ours
            lines.append("| " + " | ".join([line.name, *cells, _shown(ratio, "{:.2f}")]) + " |")
    lines += [""] + [
        f"- {line.name}: {'absent, ' if line.is_absent else 'BROKEN, '}{line.problem}"
        for line in results
        if line.problem
    ]
    return "\n".join(lines).rstrip()


def write_json(path: Path, about: dict[str, object], results: "Sequence[Measured]") -> None:
    """Write the same figures for programs."""
    lines = [{**asdict(line), "cpu_us_per_chunk": line.cpu_us_per_chunk} for line in results]
    path.write_text(json.dumps({"about": about, "results": lines}, indent=2) + "\n")


def _shown(figure: float | None, form: str) -> str:
    return "" if figure is None else form.format(figure)
