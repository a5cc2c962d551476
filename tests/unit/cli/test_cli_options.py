"""Options that several commands share, declared once."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from trimtab.cli.options import with_options


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    width: Annotated[int, typer.Option("--width", "-w", help="How wide.")]
    height: Annotated[int, typer.Option(help="How high.")] = 2


@with_options
def draw(context: typer.Context, name: str, *, dotted: bool = False, size: Size, times: int = 1) -> None:
    """Draw a rectangle."""
    typer.echo(f"{context.info_name} {name} {size} {dotted} {times}")


app = typer.Typer()
app.command()(draw)


def test_fields_are_options_with_their_names_and_defaults() -> None:
    done = CliRunner().invoke(app, ["box", "-w", "3", "--dotted", "--times", "4"])

    assert done.output == "draw box Size(width=3, height=2) True 4\n"


def test_a_field_without_a_default_is_required() -> None:
    done = CliRunner().invoke(app, ["box"], color=False)

    assert done.exit_code == 2
    assert "--width" in done.output


def test_the_help_shows_the_fields_where_the_group_stands() -> None:
    shown = CliRunner().invoke(app, ["--help"], color=False).output

    order = [shown.index(word) for word in ("Draw a rectangle", "--dotted", "--width", "--height", "--times")]
    assert order == sorted(order)
