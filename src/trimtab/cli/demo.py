"""``trimtab demo``: a gateway, real traffic and a report, offline."""

import importlib.util
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.cli.demo_engines import Engines
from trimtab.cli.demo_gateway import LOG, RunningGateway, demo_folder, running_gateway, usable_port
from trimtab.cli.demo_report import print_report
from trimtab.cli.demo_run import Demo, DemoResult
from trimtab.core.errors import ConfigurationError
from trimtab.lab import LEAST_CALLS, DemoFiles, pool_models, write_demo
from trimtab.store import open_database
from trimtab.wiring import build_desk, load_settings

DEFAULT_PORT = 4180
DEFAULT_CONTROL_PORT = 4181
DEFAULT_CALLS = 2400


def run(
    folder: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where its files go; an earlier demo there is replaced.")
    ] = Path("trimtab-demo"),
    calls: Annotated[
        int,
        typer.Option(min=LEAST_CALLS, max=100_000, metavar="N", help="Calls to send through the gateway."),
    ] = DEFAULT_CALLS,
    seed: Annotated[int, typer.Option(metavar="N", help="Another one draws other prompts.")] = 7,
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
    """Run a gateway over two small local models, send it office work, and climb the ladder's first rungs.

    All calls go to the large model first. The small one then answers the same prompts as evidence, and a policy that
    follows from it is put in force for the fresh rest. The models are real and run on this machine: nothing leaves it,
    and nothing is spent; prices are the lab's.
    """
    _require_engine()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _leave)
    with demo_folder(folder):
        output.note(f"writing {calls:,} prompts to {folder}")
        small, large = pool_models()
        files = write_demo(folder, small=small, large=large, n_calls=calls, seed=seed)
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
            engines=Engines(settings=settings, is_running=gateway.is_running),
            desk=build_desk(settings, database),
            database=database,
        ).run()
    finally:
        database.close()


def _require_engine() -> None:
    if importlib.util.find_spec("xllamacpp") is None:
        raise ConfigurationError(
            "The demo runs two models on this machine, and xllamacpp, which serves them, is not installed.",
            hint="pip install 'trimtab[serving]'",
        )


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
