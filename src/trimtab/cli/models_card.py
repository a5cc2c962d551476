"""``trimtab models card``: everything that is known of one model file."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import JsonOption
from trimtab.cli.models_export import print_parity
from trimtab.control.numbers import instant
from trimtab.core.errors import NotFound
from trimtab.serving.gguf import ParityRow
from trimtab.serving.variants import StratumScore
from trimtab.store import Artifact
from trimtab.wiring import registered_artifacts

_WIDTH = 12


def card(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="FILE", help="A registered file's name, or the start of its digest.")],
    json: JsonOption = False,
) -> None:
    """Show a model file: lineage, figures, quality, verdict, parity."""
    artifacts = registered_artifacts(invocation_of(context).settings())
    artifact = _found(artifacts, name)
    if json:
        output.print_json(artifact)
        return
    _print(artifact, artifacts)


def _found(artifacts: Sequence[Artifact], name: str) -> Artifact:
    """Return the newest file of that name, or the only one whose digest begins so."""
    named = [each for each in artifacts if each.name == name]
    begun = [each for each in artifacts if each.digest.startswith(name.lower())]
    if named:
        return named[-1]
    if len(begun) == 1:
        return begun[0]
    problem = f"{len(begun)} digests begin with {name!r}" if begun else f"no registered file is called {name!r}"
    raise NotFound(f"There is no one such file: {problem}.", hint="`trimtab models variants` lists them.")


def _print(artifact: Artifact, artifacts: Sequence[Artifact]) -> None:
    by_digest = {each.digest: each for each in artifacts}
    parent = by_digest.get(artifact.parent_digest or "")
    children = [each.name for each in artifacts if each.parent_digest == artifact.digest]
    pairs = {
        "File": f"{artifact.name}  ({artifact.path})",
        "Digest": artifact.digest,
        "Made from": "nothing here" if parent is None else f"{parent.name}, {parent.digest[:12]}",
        "How": artifact.method or "unknown",
        "Variants": ", ".join(children) or "none",
        "Size": f"{artifact.size_bytes / 1e6:,.1f} MB, {artifact.precision or 'precision unknown'}",
        "Parameters": "unknown" if artifact.n_parameters is None else f"{artifact.n_parameters:,}",
        "Registered": instant(artifact.registered_at_us),
        **_figures(artifact),
        "Gate": f"{artifact.gate_outcome}; {'may not serve' if artifact.is_blocked else 'may serve'}",
    }
    for label, text in pairs.items():
        output.print_pair(label, text, _WIDTH)
    for verdict in () if artifact.gate_record is None else artifact.gate_record.strata:
        output.print_pair("", f"{verdict.stratum}: {verdict.reason}", _WIDTH)
    _print_quality(artifact)
    if "parity" in artifact.facts:
        output.print_line()
        print_parity(msgspec.convert(artifact.facts["parity"], list[ParityRow]))


def _figures(artifact: Artifact) -> dict[str, str]:
    """Return the figures that were measured, each with its unit."""
    shown = {}
    speed, memory = artifact.facts.get("output_tokens_per_s"), artifact.facts.get("memory_bytes")
    perplexity, drift = artifact.facts.get("perplexity"), artifact.facts.get("perplexity_drift")
    if isinstance(speed, float):
        shown["Speed"] = f"{speed:,.0f} output tokens/s while it answered the suite"
    if isinstance(memory, int):
        shown["Memory"] = f"{memory / 1e6:,.0f} MB resident"
    if isinstance(perplexity, float):
        than = f", {drift:+.1%} against its parent" if isinstance(drift, float) else ""
        shown["Perplexity"] = f"{perplexity:.3f} of right answers{than}"
    return shown


def _print_quality(artifact: Artifact) -> None:
    scores = msgspec.convert(artifact.facts.get("strata", []), list[StratumScore])
    if scores:
        output.print_line()
        output.print_table(
            ["Quality on", ">Rate", ">From", ">To", ">n"],
            [[s.stratum, f"{s.mean:.3f}", f"{s.lower:.3f}", f"{s.upper:.3f}", s.n_samples] for s in scores],
        )
