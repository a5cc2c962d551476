"""One candidate's part of the report: verdict, strata, differences, bill and disagreements."""

from collections.abc import Iterator, Sequence

from trimtab.cli.eval_html.charts import Whisker, whiskers
from trimtab.cli.eval_html.markup import Content, Html, element, joined, table
from trimtab.cli.eval_text import VERDICTS, difference_text, gate_line, p_text, ratio_text, terms_text, warnings
from trimtab.control.numbers import percent
from trimtab.evaluation import Comparison, Contest, Disagreement, PairedResult, StratumVerdict


def card(contest: Contest) -> Html:
    """Return a candidate's answer in a few lines."""
    advice = contest.advice
    return element(
        "div",
        element("strong", advice.candidate.model),
        element("div", gate_line(advice.gate), class_=str(advice.gate.outcome.value)),
        element("div", f"Default for: {', '.join(advice.default_for) or 'none'}"),
        element("div", f"Not for: {', '.join(advice.not_for) or 'none'}"),
        element("div", f"Undecided: {', '.join(advice.undecided) or 'none'}"),
        class_="card",
    )


def section(contest: Contest) -> Html:
    """Return everything that was found about one candidate."""
    comparison, advice = contest.comparison, contest.advice
    undecided = [verdict for verdict in advice.strata if verdict.n_needed is not None]
    return joined(
        [
            element("h2", f"{comparison.candidate.model} against {comparison.baseline.model}"),
            element("p", terms_text(comparison), class_="faint"),
            *(element("p", line, class_="warning") for line in warnings(comparison)),
            element("h3", "Differences, stratum by stratum"),
            _differences(contest),
            _strata(contest),
            *(element("p", f"{verdict.stratum}: {verdict.reason}.") for verdict in undecided),
            element("h3", "Against the baseline's bill"),
            _bill(comparison),
            element("h3", f"Where they differ most ({len(contest.disagreements)})"),
            *_disagreements(contest.disagreements, comparison),
        ]
    )


def _differences(contest: Contest) -> Html:
    comparison = contest.comparison
    rows = [
        Whisker(verdict.stratum, verdict.outcome.value, verdict.difference, verdict.lower, verdict.upper)
        for verdict in contest.advice.strata
    ]
    whole = comparison.headline or comparison.overall
    name = "all, the suite's mix" if comparison.headline is None else "all, as in traffic"
    rows.append(Whisker(name, "whole", whole.difference, whole.lower, whole.upper))
    caption = (
        f"Candidate less baseline with {comparison.confidence:.0%} intervals. Good enough is what lies wholly right of "
        f"the dashed line, the margin of {comparison.margin:.1%}. The last row is for reading: no average decides."
    )
    return element("figure", whiskers(rows, margin=comparison.margin), element("figcaption", caption))


def _strata(contest: Contest) -> Html:
    comparison = contest.comparison
    traffic = {} if comparison.mix is None else comparison.mix.traffic
    rows = [
        _stratum(result, verdict, traffic.get(verdict.stratum))
        for result, verdict in zip(comparison.strata, contest.advice.strata, strict=True)
    ]
    return table(
        [
            "Stratum",
            "Verdict",
            ">Cases",
            ">Traffic",
            ">Baseline",
            ">Candidate",
            "Difference",
            ">Differ",
            ">Unanswered",
            ">Ungraded",
            ">p",
        ],
        rows,
    )


def _stratum(result: PairedResult, verdict: StratumVerdict, share: float | None) -> list[Content]:
    return [
        verdict.stratum,
        element("span", VERDICTS[verdict.outcome], class_=verdict.outcome.value),
        f"{result.n_pairs:,}",
        percent(share),
        f"{result.baseline_mean:.3f}",
        f"{result.candidate_mean:.3f}",
        difference_text(result.difference, result.lower, result.upper),
        percent(result.discordance),
        f"{result.n_candidate_failed} vs {result.n_baseline_failed}",
        f"{result.n_candidate_ungraded} vs {result.n_baseline_ungraded}",
        "-" if verdict.p_pass is None else p_text(verdict.p_pass),
    ]


def _bill(comparison: Comparison) -> Html:
    ratios = comparison.ratios
    rows = [
        ("Cost", None if ratios is None else ratios.cost),
        ("Energy", None if ratios is None else ratios.energy),
        ("Time", None if ratios is None else ratios.latency),
    ]
    return table(["", "Candidate takes"], [[name, ratio_text(ratio)] for name, ratio in rows])


def _disagreements(found: Sequence[Disagreement], comparison: Comparison) -> Iterator[Html]:
    if not found:
        yield element("p", "They differ on no case.")
    for one in found:
        title = f"{one.stratum} / {one.case_id}: {one.candidate_score:.2f} vs {one.baseline_score:.2f}"
        yield element(
            "details",
            element("summary", title),
            *_text("Asked", one.prompt),
            *_text("Expected", one.expected),
            element(
                "div",
                element("div", *_side(comparison.candidate.model, one.candidate_answer, one.candidate_why)),
                element("div", *_side(comparison.baseline.model, one.baseline_answer, one.baseline_why)),
                class_="sides",
            ),
        )


def _text(label: str, text: str | None) -> list[Html]:
    return [] if text is None else [element("div", label, class_="faint"), element("pre", text)]


def _side(model: str, answer: str | None, why: str | None) -> list[Html]:
    said = element("p", "No answer.") if answer is None else element("pre", answer)
    return [element("div", model, class_="faint"), said, *([element("p", why)] if why else [])]
