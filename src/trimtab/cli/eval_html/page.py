"""The report as a whole: answers first, then every model, then every candidate."""

import msgspec

from trimtab.cli.eval_html.charts import Spot, frontier
from trimtab.cli.eval_html.contest import card, section
from trimtab.cli.eval_html.markup import Content, Html, element, joined, table
from trimtab.cli.eval_html.style import STYLE
from trimtab.cli.eval_text import cost_text, quality_text
from trimtab.control.numbers import ms
from trimtab.evaluation import ComparisonReport, Profile, Quality

_FOOT = "Written by trimtab. The same figures stand in this file as JSON, under the id report."
_COLUMNS = ["Model", "Stratum", "Quality", ">Unanswered", ">Ungraded", ">Cost a case", ">p50", ">p95", ">Energy a case"]


def report_page(report: ComparisonReport) -> str:
    """Return a whole HTML document; the record itself stands in it as JSON, under the id ``report``."""
    title = "Is it good enough?" if report.contests else f"What {report.profiles[0].model} can do"
    head = element(
        "head",
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", title),
        Html(f"<style>{STYLE}</style>"),
    )
    body = element(
        "body",
        element(
            "main",
            element("h1", title),
            element("div", *map(card, report.contests), class_="cards") if report.contests else None,
            element("h2", "Every model"),
            _frontier(report),
            _profiles(report),
            *map(section, report.contests),
            element("p", _FOOT, class_="faint"),
        ),
        _record(report),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en').markup}\n"


def _frontier(report: ComparisonReport) -> Html:
    spots = [
        Spot(p.model, p.cost_nano_usd, p.overall.mean, p.overall.lower, p.overall.upper)
        for p in report.profiles
        if p.cost_nano_usd
    ]
    missing = [profile.model for profile in report.profiles if not profile.cost_nano_usd]
    caption = "Quality with its 95 % interval against the cost of a case. The line joins what no other model beats."
    if missing:
        caption += f" Without a price, so not drawn: {', '.join(missing)}."
    if not spots:
        return element("p", "No model has a price, so there is no picture of quality against cost.")
    return element("figure", frontier(spots), element("figcaption", caption))


def _profiles(report: ComparisonReport) -> Html:
    rows = [_profile(profile, quality) for profile in report.profiles for quality in (profile.overall, *profile.strata)]
    return table(_COLUMNS, rows)


def _profile(profile: Profile, quality: Quality) -> list[Content]:
    is_whole = quality.group is None
    energy = "-" if profile.energy_wh is None else f"{profile.energy_wh:#.3g} Wh"
    return [
        profile.model if is_whole else "",
        quality.group or "all",
        quality_text(quality),
        f"{quality.n_failed:,}",
        f"{quality.n_ungraded:,}",
        *(
            [cost_text(profile), ms(profile.latency_p50_ms), ms(profile.latency_p95_ms), energy]
            if is_whole
            else ["", "", "", ""]
        ),
    ]


def _record(report: ComparisonReport) -> Html:
    """Write the record so that nothing in it can end the element: ``<`` only occurs inside strings of JSON."""
    text = msgspec.json.encode(report).decode().replace("<", "\\u003c")
    return joined([Html(f'<script type="application/json" id="report">{text}</script>')])
