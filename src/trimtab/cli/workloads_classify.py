"""``trimtab workloads classify``: what kind of call a request is, and why, without sending it anywhere."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import JsonOption
from trimtab.core import Api, parse_sensitivity
from trimtab.core.messages import WireRequest
from trimtab.workloads import CallHints, Classification, Classifier


class Classified(msgspec.Struct, frozen=True, kw_only=True):
    """What one request is."""

    workload: str
    workload_class: str
    task_type: str
    sensitivity: str
    reasons: tuple[str, ...]
    """One sentence each for workload, task type and sensitivity."""
    input_tokens: int
    """Upper estimate, rounded up to a power of two, as rules see it."""


def classify(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A request body as JSON; - reads standard input.", show_default=False)
    ],
    api: Annotated[
        Literal["chat_completions", "messages", "embeddings"], typer.Option(help="The wire form of the request.")
    ] = "chat_completions",
    app: Annotated[str, typer.Option("--app", metavar="NAME", help="App that would send it.")] = "default",
    workload: Annotated[str | None, typer.Option(metavar="NAME", help="Header x-trimtab-workload of the call.")] = None,
    sensitivity: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Header x-trimtab-sensitivity of the call.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say which workload, task type and sensitivity a request gets under the configuration and policy here, and why.

    For writing match rules: where none fits, the fingerprint that would catch such calls is named.
    """
    body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    invocation = invocation_of(context)
    with invocation.open_desk() as desk:
        policy = desk.policies.in_force()
    label = None if sensitivity is None else _level(sensitivity)
    hints = CallHints(
        app=app,
        workload=workload,
        sensitivity=label,
        policy_sensitivity=lambda name: None if policy is None else policy.label_for(app, name),
    )
    found = Classifier(invocation.settings().workloads).classify(WireRequest(Api(api), body), hints)
    _print(_shown(found), json=json)


def _level(label: str) -> int:
    try:
        return parse_sensitivity(label)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--sensitivity") from exc


def _shown(found: Classification) -> Classified:
    return Classified(
        workload=found.workload,
        workload_class=found.workload_class,
        task_type=found.task_type,
        sensitivity=found.sensitivity.label,
        reasons=found.reasons,
        input_tokens=found.shape.input_tokens,
    )


def _print(found: Classified, *, json: bool) -> None:
    if json:
        output.print_json(found)
        return
    why_workload, why_task, why_sensitivity = found.reasons
    output.print_table(
        ["What", "Is", "Because"],
        [
            ["workload", found.workload, why_workload],
            ["task type", found.task_type, f"{why_task} Class {found.workload_class}."],
            ["sensitivity", found.sensitivity, why_sensitivity],
        ],
    )
