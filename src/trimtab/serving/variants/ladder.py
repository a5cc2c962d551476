"""The quantization ladder: one model at falling sizes, what each costs in quality, and where to stop."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from trimtab.core.errors import TrimtabError
from trimtab.evaluation import CaseResult, GateOutcome, GateVerdict, Run, Scorer, Suite, compare_runs, gate
from trimtab.serving.gguf import GgufInfo, digest_of, perplexity_of, quantize, read_gguf
from trimtab.serving.variants.measuring import Served, Serving, measure_served
from trimtab.stats import wilson_interval

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


class StratumScore(msgspec.Struct, frozen=True, kw_only=True):
    """Quality on one stratum, or on all of them."""

    stratum: str
    n_samples: int
    mean: float
    lower: float
    """Of the Wilson interval at 95 %."""
    upper: float


class LadderRow(msgspec.Struct, frozen=True, kw_only=True):
    """One rung. What could not be measured is ``None``."""

    name: str
    path: str
    digest: str
    """sha256 of the file."""
    parent_digest: str | None
    method: str | None
    """Who quantized it."""
    precision: str
    size_bytes: int
    n_parameters: int
    notes: tuple[str, ...] = ()
    output_tokens_per_s: float | None = None
    """While it answered the suite, all slots together."""
    memory_bytes: int | None = None
    """Resident, at the end of that."""
    perplexity: float | None = None
    """Of the right answers to some of the cases, after their prompts as the model's template writes them."""
    perplexity_drift: float | None = None
    """Fraction by which it exceeds the parent's."""
    overall: StratumScore | None = None
    strata: tuple[StratumScore, ...] = ()
    verdict: GateVerdict | None = None
    """``None`` for the parent, and where no suite was given."""

    @property
    def passed(self) -> bool:
        """Whether it may serve in its parent's place."""
        return self.verdict is not None and self.verdict.outcome is GateOutcome.PASS


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """The parent and its variants, and which of them to default to."""

    parent: LadderRow
    variants: tuple[LadderRow, ...]
    default: str
    """Name of the smallest file that passed; the parent's when none did."""
    suite: str | None
    suite_digest: str | None
    margin: float
    """Quality that may be lost on a protected stratum, as a fraction of 1."""
    alpha: float


class LadderPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to make and how to judge it."""

    parent: Path
    targets: tuple[str, ...]
    folder: Path
    """Receives the variants, ``PARENT-TYPE.gguf`` each."""
    suite: Suite | None
    scorer: Scorer
    margin: float
    alpha: float
    protected: tuple[str, ...] | None
    """Strata that may each veto; ``None`` protects every one of the suite's."""


async def climb(plan: LadderPlan, serving: Serving, progress: Progress) -> Ladder:
    """Make every variant, serve each and the parent, and judge.

    The file that is served is judged, not the weights it was made from: templates, tokenizers and runtimes are where
    a good model most often turns into a worse one.

    Raises:
        ModelFileInvalid: the parent cannot be used, or a precision is unknown.
        ConfigurationError: a quantizer is not installed, or the disk is full.
        EngineError: a file cannot be served.
    """
    paths = [plan.parent, *(_made(plan, to, progress) for to in plan.targets)]
    parent_row, parent_served = await _measured(plan, paths[0], serving, progress)
    variants = []
    for path in paths[1:]:
        row, served = await _measured(plan, path, serving, progress)
        variants.append(_judged(plan, row, served, parent_row, parent_served))
    passed = [row for row in variants if row.passed]
    return Ladder(
        parent=parent_row,
        variants=tuple(variants),
        default=min(passed, key=lambda row: row.size_bytes).name if passed else parent_row.name,
        suite=None if plan.suite is None else plan.suite.name,
        suite_digest=None if plan.suite is None else plan.suite.digest,
        margin=plan.margin,
        alpha=plan.alpha,
    )


def _made(plan: LadderPlan, to: str, progress: Progress) -> Path:
    """Write one variant; one that is there and was made from this very parent is not made again."""
    target = plan.folder / f"{_stem(plan.parent)}-{to}.gguf"
    if _is_made(target, plan.parent, to):
        return target
    plan.folder.mkdir(parents=True, exist_ok=True)
    quantize(plan.parent, target, to, progress=lambda done, total: progress(f"quantizing to {to}", done, total))
    return target


def _is_made(target: Path, parent: Path, to: str) -> bool:
    if not target.exists():
        return False
    try:
        info = read_gguf(target)
    except TrimtabError:
        return False  # a torn file from elsewhere: made anew
    return info.precision == to and info.parent_sha256 == digest_of(parent)


async def _measured(
    plan: LadderPlan, path: Path, serving: Serving, progress: Progress
) -> tuple[LadderRow, Served | None]:
    row = _described(read_gguf(path))
    if plan.suite is None:
        return row, None
    served = await measure_served(
        path,
        plan.suite,
        scorer=plan.scorer,
        serving=serving,
        on_case=lambda done, total: progress(f"asking {path.stem}", done, total),
    )
    progress(f"predicting text with {path.stem}", 0, 1)
    strata = tuple(_score(served.run, stratum) for stratum in plan.suite.strata)
    return msgspec.structs.replace(
        row,
        output_tokens_per_s=served.output_tokens_per_s,
        memory_bytes=served.memory_bytes,
        perplexity=_perplexity(path, served, serving.threads),
        overall=_score(served.run, None),
        strata=strata,
    ), served


def _perplexity(path: Path, served: Served, threads: int | None) -> float | None:
    """Predict the right answers after their prompts; empty ones leave nothing to predict."""
    pairs = [(prompt, answer) for prompt, answer in zip(served.prompts, served.answers, strict=True) if answer.strip()]
    if not pairs:
        return None
    return perplexity_of(
        path, [answer for _, answer in pairs], after=[prompt for prompt, _ in pairs], threads=threads
    ).perplexity


def _judged(
    plan: LadderPlan, row: LadderRow, served: Served | None, parent: LadderRow, parent_served: Served | None
) -> LadderRow:
    if served is None or parent_served is None:
        return row
    comparison = compare_runs(parent_served.run, served.run, margin=plan.margin, alpha=plan.alpha)
    drift = None
    if row.perplexity is not None and parent.perplexity is not None:
        drift = row.perplexity / parent.perplexity - 1
    return msgspec.structs.replace(row, perplexity_drift=drift, verdict=gate(comparison, protected=plan.protected))


def _described(info: GgufInfo) -> LadderRow:
    return LadderRow(
        name=info.path.stem,
        path=str(info.path),
        digest=digest_of(info.path),
        parent_digest=info.parent_sha256,
        method=info.method,
        precision=info.precision,
        size_bytes=info.size_bytes,
        n_parameters=info.n_parameters,
        notes=tuple(info.notes),
    )


def _score(run: Run, stratum: str | None) -> StratumScore:
    """Grade a stratum; a case without an answer is a wrong one, since a caller would have had nothing."""
    chosen: list[CaseResult] = [each for each in run.results if stratum is None or each.stratum == stratum]
    passes = sum((each.score or 0.0) >= 0.5 for each in chosen)
    interval = wilson_interval(passes, len(chosen))
    return StratumScore(
        stratum=stratum or "all",
        n_samples=len(chosen),
        mean=passes / len(chosen),
        lower=interval.lower,
        upper=interval.upper,
    )


def _stem(path: Path) -> str:
    """Return a parent's name without the precision that is part of it."""
    stem = path.stem
    for ending in ("-f16", "-f32", "-bf16", ".f16", ".f32", ".bf16"):
        stem = stem.removesuffix(ending)
    return stem
