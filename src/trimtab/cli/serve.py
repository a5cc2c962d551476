"""``trimtab serve``: run the gateway."""

import sys
from typing import Annotated

import msgspec
import typer

from trimtab.cli.context import invocation_of
from trimtab.cli.output import note, print_line
from trimtab.server import Addresses, end_with_stdin, serve, serve_worker


def run(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Address of the data plane.")] = None,
    port: Annotated[int | None, typer.Option(metavar="N", help="Port of the data plane; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Data-plane processes.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Announce the addresses as one JSON line.")] = False,
    listener_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    while_stdin: Annotated[bool, typer.Option("--while-stdin", hidden=True)] = False,
) -> int:
    """Serve calls until interrupted: the data plane on one port, the control API and pages on another."""
    invocation = invocation_of(context)
    settings = invocation.settings({"listen.host": host, "listen.port": port, "workers": workers})
    if listener_fd is not None:
        return serve_worker(settings, listener_fd)
    if while_stdin:
        end_with_stdin()

    def announce(addresses: Addresses) -> None:
        if json:
            sys.stdout.write(msgspec.json.encode(addresses).decode() + "\n")
        else:
            _announce(addresses)
        sys.stdout.flush()  # whoever started this waits for the line

    return serve(settings, invocation.config_path, invocation.database, announce)


def _announce(addresses: Addresses) -> None:
    gateway = f"{addresses.url}/v1"
    print_line(f"Gateway   {gateway}   base_url of the OpenAI SDK; of Anthropic's without /v1")
    print_line(f"Control   {addresses.control_url:{len(gateway)}}   pages, and the JSON API under /api")
    if addresses.admin_secret is not None:
        note(f"Admin secret of the control listener, shown this once: {addresses.admin_secret}")
    note("Ctrl-C stops it; calls under way are finished first.")
