"""``trimtab demo``: a gateway, real traffic and a report, offline."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.cli.demo_gateway import LOG, RunningGateway, demo_folder, running_gateway, usable_port
from trimtab.cli.demo_report import print_report
from trimtab.cli.demo_run import Demo, DemoResult
from trimtab.lab import DemoFiles, write_demo
from trimtab.store import open_database
from trimtab.wiring import build_desk, load_settings

DEFAULT_PORT = 4180
DEFAULT_CONTROL_PORT = 4181


def run(
    folder: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where its files go; an earlier demo there is replaced.")
    ] = Path("trimtab-demo"),
    calls: Annotated[
        int, typer.Option(min=40, max=100_000, metavar="N", help="Calls to send through the gateway.")
    ] = 3000,
    seed: Annotated[int, typer.Option(metavar="N", help="Another one draws other prompts and outcomes.")] = 7,
    port: Annotated[
        int | None, typer.Option(metavar="N", help=f"Port of the data plane; else {DEFAULT_PORT}, or a free one.")
    ] = None,
    control_port: Annotated[
        int | None,
        typer.Option(metavar="N", help=f"Port of the control listener; else {DEFAULT_CONTROL_PORT}, or a free one."),
    ] = None,
    exit_: Annotated[bool, typer.Option("--exit", help="End after the report instead of serving on.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> int:
    """Run a gateway over simulated models, send it traffic, compare three policies and explain one call.

    Nothing leaves this machine, and nothing is spent: the answers come from a file that the demo writes first.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _leave)
    with demo_folder(folder):
        output.note(f"writing {calls:,} simulated prompts to {folder}")
        files = write_demo(folder, n_prompts=calls, seed=seed)
        with running_gateway(
            files.config,
            port=usable_port(DEFAULT_PORT) if port is None else port,
            control_port=usable_port(DEFAULT_CONTROL_PORT) if control_port is None else control_port,
        ) as gateway:
            result = _result(files, gateway)
            with _ended_by_ctrl_c():
                print_report(result, files, gateway.addresses, is_serving=not exit_, json=json)
                if not exit_:
                    gateway.wait()
                    return _ended(gateway)
    return 0 if result.money.agrees else 1


def _result(files: DemoFiles, gateway: RunningGateway) -> DemoResult:
    settings = load_settings(files.config, environment={})
    database = open_database(settings.database_url)
    try:
        return Demo(
            files=files,
            url=gateway.addresses.url,
            is_running=gateway.is_running,
            desk=build_desk(settings, database),
            database=database,
        ).run()
    finally:
        database.close()


def _ended(gateway: RunningGateway) -> int:
    """Say that the gateway ended by itself, and return the exit code."""
    output.note(f"error: The gateway ended with code {gateway.process.returncode}; {LOG} in its folder says why.")
    return 3


@contextmanager
def _ended_by_ctrl_c() -> Iterator[None]:
    """Take Ctrl-C as the end that the report announces, from its first line on."""
    try:
        yield
    except KeyboardInterrupt:
        output.note("stopping")


def _leave(number: int, frame: FrameType | None) -> None:
    """End on a signal as on Ctrl-C: calls under way are finished before the gateway goes."""
    raise SystemExit(128 + number)
