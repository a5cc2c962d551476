"""``trimtab models``: the pool."""

from collections.abc import Mapping

import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import JsonOption
from trimtab.cli.models_card import card
from trimtab.cli.models_export import export
from trimtab.cli.models_probe import probe
from trimtab.cli.models_quantize import quantize
from trimtab.control import ModelRow, priced_by
from trimtab.control.numbers import measured, usd_per_mtok
from trimtab.store import Artifact
from trimtab.wiring import EngineRow, engine_rows, registered_artifacts

app = typer.Typer(no_args_is_help=False, rich_markup_mode=None)
app.command("card")(card)
app.command("export")(export)
app.command("probe")(probe)
app.command("quantize")(quantize)


@app.command("list")
def list_models(context: typer.Context, json: JsonOption = False) -> None:
    """List the pool: who may see what, skills, prices, speed."""
    with invocation_of(context).open_desk() as desk:
        models = desk.models()
    if json:
        output.print_json(models)
        return
    columns = ["Model", "Class", "Boundary", "Region", ">Context", ">In $/Mtok", ">Out $/Mtok", "Price from", "Can"]
    if any(model.probe is not None for model in models):
        columns.append("Measured")
        output.print_table(columns, [[*_row(model), measured(model.probe)] for model in models])
    else:
        output.print_table(columns, map(_row, models))
    if not models:
        output.note("The pool is empty: add `models:` to the configuration, or let `trimtab init` find some.")


def _row(model: ModelRow) -> list[output.Cell]:
    return [
        model.model,
        model.model_class,
        model.boundary,
        model.region,
        model.context_tokens,
        usd_per_mtok(model.input_usd_per_mtok),
        None if model.output_usd_per_mtok is None else usd_per_mtok(model.output_usd_per_mtok),
        priced_by(model),
        ", ".join(model.capabilities),
    ]


@app.command("engines")
def list_engines(context: typer.Context, json: JsonOption = False) -> None:
    """List the local engines: models, state, and why one is down."""
    engines = engine_rows(invocation_of(context).settings())
    if json:
        output.print_json(engines)
        return
    columns = ["Engine", "Kind", "State", ">Restarts", "Models", "Address", "Why"]
    output.print_table(columns, map(_engine_row, engines))
    if not engines:
        output.note("No engine is configured: docs/how-to/serve-a-small-model.md says how.")


def _engine_row(engine: EngineRow) -> list[output.Cell]:
    return [
        engine.engine,
        engine.kind,
        engine.state,
        engine.n_restarts,
        ", ".join(engine.models),
        engine.base_url,
        engine.reason,
    ]


@app.command("variants")
def list_variants(context: typer.Context, json: JsonOption = False) -> None:
    """List model files: parents, speed, and whether each may serve."""
    artifacts = registered_artifacts(invocation_of(context).settings())
    if json:
        output.print_json(artifacts)
        return
    names = {each.digest: each.name for each in artifacts}
    columns = ["File", "Parent", "Precision", ">MB", ">Tokens/s", "Gate", "May serve", "Digest"]
    output.print_table(columns, [_variant_row(each, names) for each in artifacts])
    if not artifacts:
        output.note("No model file is registered: `trimtab models quantize` registers a model and its variants.")


def _variant_row(artifact: Artifact, names: Mapping[str, str]) -> list[output.Cell]:
    speed = artifact.facts.get("output_tokens_per_s")
    return [
        artifact.name,
        None if artifact.parent_digest is None else names.get(artifact.parent_digest, artifact.parent_digest[:12]),
        artifact.precision,
        f"{artifact.size_bytes / 1e6:,.1f}",
        f"{speed:,.0f}" if isinstance(speed, float) else None,
        str(artifact.gate_outcome),
        "no" if artifact.is_blocked else "yes",
        artifact.digest[:12],
    ]
