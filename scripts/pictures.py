"""Draw the pictures of docs/explanation/good-enough.md. Every number in them is computed here by `trimtab.stats`."""

from collections.abc import Callable, Iterable, Sequence
from html import escape

import numpy as np
from generated import ROOT, write_or_check
from scipy.special import betaln

from trimtab.stats import Interval, wilson_interval
from trimtab.stats.paired import PairedCounts, tango_interval
from trimtab.stats.power import pairs_for_noninferiority
from trimtab.stats.prediction_powered import corrected_mean
from trimtab.stats.proportions import newcombe_interval

FOLDER = ROOT / "docs/explanation/pictures"
WIDTH, LEFT = 640.0, 200.0
_STYLE = """
  .ground { fill: #ffffff; } text { fill: #1c1f23; font: 13px system-ui, sans-serif; } .dim { fill: #5c6470; }
  .axis { stroke: #c3c9d1; fill: none; } .zero { stroke: #5c6470; } .margin { stroke: #b3261e; stroke-dasharray: 5 4; }
  .good { stroke: #17723b; fill: #17723b; } .bad { stroke: #b3261e; fill: #b3261e; }
  .open { stroke: #8a5a00; fill: #8a5a00; } .line { fill: none; stroke-width: 2; }
  @media (prefers-color-scheme: dark) { .ground { fill: #1b1f25; } text { fill: #e6e8eb; } .dim { fill: #9aa3ae; }
    .axis { stroke: #434a55; } .zero { stroke: #9aa3ae; } .margin { stroke: #ff8a80; }
    .good { stroke: #5bc98a; fill: #5bc98a; } .bad { stroke: #ff8a80; fill: #ff8a80; }
    .open { stroke: #e5b657; fill: #e5b657; } }
"""


def main() -> int:
    """Write or check every picture."""
    FOLDER.mkdir(exist_ok=True)
    return max(write_or_check(FOLDER / f"{name}.svg", draw()) for name, draw in PICTURES.items())


def pairs_beat_averages() -> str:
    """The same answers of the same two models, read twice: as two averages, and case by case."""
    counts = PairedCounts(both=850, candidate_only=40, baseline_only=50, neither=60)
    candidate, baseline = counts.both + counts.candidate_only, counts.both + counts.baseline_only
    rows = [
        ("as two averages", "open", newcombe_interval(candidate, 1_000, baseline, 1_000, confidence=0.9)),
        ("case by case", "good", tango_interval(counts, confidence=0.9)),
    ]
    return whiskers(
        "1,000 cases, 89.0 % right against 90.0 %: the difference, known two ways",
        [(name, kind, counts.difference, interval) for name, kind, interval in rows],
        low=-0.04,
        high=0.02,
        margin=0.03,
    )


def interval_and_margin() -> str:
    """What the three answers of a gate look like."""
    found = [
        ("passes", "good", PairedCounts(both=1_700, candidate_only=60, baseline_only=62, neither=178)),
        ("passes, and truly worse", "good", PairedCounts(both=3_600, candidate_only=15, baseline_only=55, neither=330)),
        ("too few cases", "open", PairedCounts(both=250, candidate_only=10, baseline_only=12, neither=28)),
        ("fails", "bad", PairedCounts(both=1_500, candidate_only=40, baseline_only=130, neither=130)),
    ]
    rows = [
        (f"{name} (n = {counts.n_pairs:,})", kind, counts.difference, tango_interval(counts, confidence=0.9))
        for name, kind, counts in found
    ]
    return whiskers("Candidate less baseline, margin 2 points", rows, low=-0.08, high=0.04, margin=0.02)


def peeking() -> str:
    """How many of 2,000 fair coins have been called unfair by the n-th flip."""
    flips = np.random.default_rng(7).random((2_000, 2_000)) < 0.5
    n, heads = np.arange(1, 2_001), np.cumsum(flips, axis=1)
    z = np.abs(heads - n / 2) / np.sqrt(n / 4)
    peeked = (z > 1.96) & (n >= 50)
    capital = betaln(heads + 1, n - heads + 1) - n * np.log(0.5)
    curves = [
        ("looking after every flip at 1.96 standard errors", "bad", ever(peeked)),
        ("e-process at 1 in 20, looking after every flip", "good", ever(capital >= np.log(20))),
    ]
    lines = [
        (name, kind, [(float(x), float(y)) for x, y in zip(n[49::50], shares[49::50], strict=True)])
        for name, kind, shares in curves
    ]
    return curves_of(
        "Fair coins that were called unfair so far",
        lines,
        x_of=(0, 2_000),
        y_of=(0, 0.5),
        x_name="flips",
        y_text=lambda share: f"{share:.0%}",
        level=(0.05, "5 % promised"),
        legend_at=170.0,
    )


def ever(alarms: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the share of paths with an alarm so far, after each step."""
    shares: np.ndarray[tuple[int], np.dtype[np.float64]] = np.logical_or.accumulate(alarms, axis=1).mean(axis=0)
    return shares


def why_n_grows() -> str:
    """Cases to prove an equally good model not worse by the margin."""
    margins = [step / 200 for step in range(2, 13)]
    lines = [
        (
            f"{discordance:.0%} of the cases differ",
            kind,
            [(100 * m, pairs_for_noninferiority(discordance=discordance, margin=m) / 1_000) for m in margins],
        )
        for discordance, kind in ((0.2, "bad"), (0.1, "open"), (0.05, "good"))
    ]
    return curves_of(
        "Thousands of cases that prove an equally good model",
        lines,
        x_of=(1, 6),
        y_of=(0, 12.5),
        x_name="margin in points",
        y_text=lambda thousands: f"{thousands:g}",
    )


def judge_correction() -> str:
    """A lenient judge over 2,000 answers, and 200 labels of people."""
    random = np.random.default_rng(3)
    is_right = random.random(2_000) < 0.70
    judged = np.where(is_right, random.random(2_000) < 0.97, random.random(2_000) < 0.35)
    labelled = slice(0, 200)
    corrected = corrected_mean(
        is_right[labelled].astype(float), judged[labelled].astype(float), judged[200:].astype(float)
    )
    people, judge = int(is_right[labelled].sum()), int(judged.sum())
    rows = [
        ("the judge alone", "bad", judge / 2_000, wilson_interval(judge, 2_000)),
        ("200 labels alone", "open", people / 200, wilson_interval(people, 200)),
        ("both together", "good", corrected.mean, Interval(corrected.lower, corrected.upper)),
    ]
    return whiskers("Share of right answers; the truth is 0.70", rows, low=0.55, high=0.9, truth=0.70)


Row = tuple[str, str, float, Interval]
Curve = tuple[str, str, Sequence[tuple[float, float]]]


def whiskers(
    title: str, rows: Sequence[Row], *, low: float, high: float, margin: float | None = None, truth: float = 0.0
) -> str:
    """Draw intervals below each other, with a line at the truth or at 0, and one at the margin."""
    bottom = 50.0 + 34 * len(rows)

    def at(value: float) -> float:
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - 150)

    parts = [text(16, 26, title)]
    marks = [(truth, f"{truth:g}", "zero")] + ([] if margin is None else [(-margin, f"-{margin:g}", "margin")])
    for value, name, kind in marks:
        parts += [line(at(value), 40, at(value), bottom, kind), text(at(value), bottom + 16, name, "middle", "dim")]
    for place, (name, kind, mean, (lower, upper)) in enumerate(rows):
        y = 62.0 + 34 * place
        parts.append(text(16, y + 4, name))
        parts.append(line(at(lower), y, at(upper), y, f"{kind} line"))
        parts += [line(at(end), y - 6, at(end), y + 6, f"{kind} line") for end in (lower, upper)]
        parts.append(f'<circle cx="{at(mean):.1f}" cy="{y:.1f}" r="4" class="{kind}"/>')
        sign = "" if margin is None else "+"
        parts.append(text(WIDTH - 16, y + 4, f"[{lower:{sign}.3f}, {upper:{sign}.3f}]", "end", "dim"))
    return picture(title, parts, bottom + 30)


def curves_of(
    title: str,
    lines: Sequence[Curve],
    *,
    x_of: tuple[float, float],
    y_of: tuple[float, float],
    x_name: str,
    y_text: Callable[[float], str],
    level: tuple[float, str] | None = None,
    legend_at: float = 60.0,
) -> str:
    """Draw curves over a grid, each with its name beside a stroke of its colour."""
    left, top, bottom = 60.0, 44.0, 300.0

    def x_at(value: float) -> float:
        return left + (value - x_of[0]) / (x_of[1] - x_of[0]) * (WIDTH - left - 24)

    def y_at(value: float) -> float:
        return bottom - (value - y_of[0]) / (y_of[1] - y_of[0]) * (bottom - top)

    parts = [text(16, 26, title)]
    for step in range(6):
        y, x = y_of[0] + step * (y_of[1] - y_of[0]) / 5, x_of[0] + step * (x_of[1] - x_of[0]) / 5
        parts += [
            line(left, y_at(y), WIDTH - 24, y_at(y), "axis"),
            text(left - 8, y_at(y) + 4, y_text(y), "end", "dim"),
        ]
        parts.append(text(x_at(x), bottom + 18, f"{x:,.0f}", "middle", "dim"))
    parts.append(text((left + WIDTH) / 2, bottom + 38, x_name, "middle", "dim"))
    if level is not None:
        parts.append(line(left, y_at(level[0]), WIDTH - 24, y_at(level[0]), "margin"))
        parts.append(text(WIDTH - 28, y_at(level[0]) - 6, level[1], "end", "dim"))
    for place, (name, kind, points) in enumerate(lines):
        path = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" class="{kind} line" style="fill: none"/>')
        y = legend_at + 20 * place
        parts += [line(WIDTH - 366, y - 4, WIDTH - 342, y - 4, f"{kind} line"), text(WIDTH - 334, y, name)]
    return picture(title, parts, bottom + 50)


def picture(title: str, parts: Iterable[str], height: float) -> str:
    """Return a whole SVG file."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n"
        f'<rect class="ground" width="{WIDTH:.0f}" height="{height:.0f}" rx="8"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    """Return words at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


PICTURES: dict[str, Callable[[], str]] = {
    "pairs-beat-averages": pairs_beat_averages,
    "interval-and-margin": interval_and_margin,
    "peeking": peeking,
    "why-n-grows": why_n_grows,
    "judge-correction": judge_correction,
}

if __name__ == "__main__":
    raise SystemExit(main())
