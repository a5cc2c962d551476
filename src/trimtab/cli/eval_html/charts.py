"""The report's charts, as SVG inside the page."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from trimtab.cli.eval_html.markup import Html, element, empty, joined
from trimtab.control.numbers import usd

_WIDTH, _HEIGHT = 400.0, 270.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 14.0, 14.0, 44.0
_STRIP = 1_000.0
"""Units across a whisker's strip, which is stretched to the page."""


class Whisker(NamedTuple):
    """A difference with its bounds."""

    name: str
    outcome: str
    """Gives the colour; the table beside the chart has the word."""
    difference: float
    lower: float
    upper: float


class Spot(NamedTuple):
    """A model on the frontier."""

    name: str
    cost_nano_usd: float
    quality: float
    lower: float
    upper: float


def whiskers(rows: Sequence[Whisker], *, margin: float) -> Html:
    """Draw differences below each other on one scale, with 0 and the margin as lines."""
    low = min(-1.5 * margin, *(row.lower for row in rows))
    high = max(1.5 * margin, *(row.upper for row in rows))
    pad = (high - low) * 0.03
    scale = _Scale(low - pad, high + pad, 0.0, _STRIP)
    strips = [part for row in rows for part in (element("div", row.name, class_="name"), _strip(row, scale, margin))]
    words = [
        element("span", f"-{margin:.1%}", style=f"left:{scale.share(-margin):.2%}", class_="before"),
        element("span", "0", style=f"left:{scale.share(0.0):.2%}"),
    ]
    return element("div", *strips, element("div"), element("div", *words, class_="scale"), class_="whiskers")


def _strip(row: Whisker, scale: "_Scale", margin: float) -> Html:
    def upright(value: float, top: float, bottom: float, kind: str) -> Html:
        x = scale.at(value)
        return empty("line", x1=x, x2=x, y1=top, y2=bottom, class_=kind, vector_effect="non-scaling-stroke")

    across = empty(
        "line",
        x1=scale.at(row.lower),
        x2=scale.at(row.upper),
        y1=12.0,
        y2=12.0,
        class_="mark",
        vector_effect="non-scaling-stroke",
    )
    label = f"{row.name}: {row.difference:+.3f} from {row.lower:+.3f} to {row.upper:+.3f}"
    return element(
        "svg",
        element("title", label),
        upright(0.0, 0.0, 24.0, "zero"),
        upright(-margin, 0.0, 24.0, "margin"),
        across,
        upright(row.lower, 8.0, 16.0, "mark"),
        upright(row.upper, 8.0, 16.0, "mark"),
        upright(row.difference, 4.0, 20.0, "mark"),
        class_=row.outcome,
        viewBox="0 0 1000 24",
        preserveAspectRatio="none",
        role="img",
    )


def frontier(spots: Sequence[Spot]) -> Html:
    """Draw quality against the cost of a case, the latter by powers of ten, and the line of what nothing beats."""
    costs = [_magnitude(spot) for spot in spots]
    low, high = math.floor(min(costs) - 0.05), math.ceil(max(costs) + 0.05)
    bottom = max(math.floor(min(spot.lower for spot in spots) * 10) / 10, 0.0)
    x = _Scale(float(low), float(high), _LEFT, _WIDTH - _RIGHT)
    y = _Scale(bottom, 1.0, _HEIGHT - _BOTTOM, _TOP)
    return element(
        "svg",
        element("title", "Quality against the cost of a case"),
        *_grid(x, y, low, high),
        _best_line(spots, x, y),
        *(_spot(spot, x, y) for spot in spots),
        class_="frontier",
        viewBox="0 0 400 270",
        role="img",
    )


def best_of(spots: Sequence[Spot]) -> list[Spot]:
    """Return the models that no other beats in both quality and cost, the cheapest first."""
    found: list[Spot] = []
    for spot in sorted(spots, key=lambda spot: (spot.cost_nano_usd, -spot.quality)):
        if not found or spot.quality > found[-1].quality:
            found.append(spot)
    return found


def _magnitude(spot: Spot) -> float:
    return math.log10(max(spot.cost_nano_usd, 1.0))


class _Scale(NamedTuple):
    low: float
    high: float
    start: float
    end: float

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def at(self, value: float) -> float:
        return self.start + self.share(value) * (self.end - self.start)


def _grid(x: _Scale, y: _Scale, low: int, high: int) -> list[Html]:
    parts = []
    for power in range(low, high + 1):
        at = x.at(float(power))
        parts.append(empty("line", x1=at, x2=at, y1=y.end, y2=y.start, class_="axis"))
        if (power - low) % max((high - low + 3) // 4, 1) == 0:
            anchor = "end" if power == high else "middle"
            amount = usd(10**power).rstrip("0").rstrip(".")  # a power of ten has one digit
            parts.append(element("text", amount, x=at, y=y.start + 16, text_anchor=anchor, class_="dim"))
    for step in range(round(y.low * 10), 11, 1 if y.low >= 0.5 else 2):
        at = y.at(step / 10)
        parts.append(empty("line", x1=x.start, x2=x.end, y1=at, y2=at, class_="axis"))
        parts.append(element("text", f"{step / 10:.1f}", x=x.start - 6, y=at + 4, text_anchor="end", class_="dim"))
    middle = (x.start + x.end) / 2
    parts.append(element("text", "cost of a case", x=middle, y=_HEIGHT - 8, text_anchor="middle", class_="dim"))
    return parts


def _best_line(spots: Sequence[Spot], x: _Scale, y: _Scale) -> Html:
    points = " ".join(f"{x.at(_magnitude(s)):.1f},{y.at(s.quality):.1f}" for s in best_of(spots))
    return empty("polyline", points=points, class_="step")


def _spot(spot: Spot, x: _Scale, y: _Scale) -> Html:
    at, level = x.at(_magnitude(spot)), y.at(spot.quality)
    is_right = x.share(_magnitude(spot)) > 0.6
    name = spot.name if len(spot.name) <= 28 else spot.name[:27] + "\u2026"
    return joined(
        [
            empty("line", x1=at, x2=at, y1=y.at(spot.lower), y2=y.at(spot.upper), class_="mark"),
            empty("circle", cx=at, cy=level, r=4.0, class_="point"),
            element(
                "text",
                name,
                x=at - 8 if is_right else at + 8,
                y=level - 6,
                text_anchor="end" if is_right else "start",
            ),
        ]
    )
