"""``trimtab models``: the pool."""

import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import JsonOption
from trimtab.control import ModelRow

app = typer.Typer(no_args_is_help=False, rich_markup_mode=None)


@app.callback()
def _verbs() -> None:
    """Keep `list` a word of its own while it is the only one."""


@app.command("list")
def list_models(context: typer.Context, json: JsonOption = False) -> None:
    """List the pool: who may see what, what it can do, and what it costs."""
    with invocation_of(context).open_desk() as desk:
        models = desk.models()
    if json:
        output.print_json(models)
        return
    columns = ["Model", "Class", "Boundary", "Region", ">Context", ">In $/Mtok", ">Out $/Mtok", "Price from", "Can"]
    output.print_table(columns, map(_row, models))
    if not models:
        output.note("The pool is empty: add `models:` to the configuration, or let `trimtab init` find some.")


def _row(model: ModelRow) -> list[output.Cell]:
    dated = f"{model.price_source}, {model.price_date}" if model.price_date is not None else model.price_source
    return [
        model.model,
        model.model_class,
        model.boundary,
        model.region,
        model.context_tokens,
        model.input_usd_per_mtok,
        model.output_usd_per_mtok,
        dated,
        ", ".join(model.capabilities),
    ]
