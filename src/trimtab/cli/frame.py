"""The frame around every command: nouns loaded when they are named, errors in two lines, exit codes."""

import importlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from trimtab import __version__
from trimtab.cli.context import Invocation
from trimtab.cli.output import note
from trimtab.core import errors


class Noun(NamedTuple):
    """One word after ``trimtab``."""

    name: str
    module: str
    """Holds ``app`` (a Typer with verbs) or ``run`` (a function, for a noun without verbs)."""
    help: str


NOUNS = (
    Noun("demo", "trimtab.cli.demo", "A gateway, real traffic and a report, offline."),
    Noun("init", "trimtab.cli.init", "Write a configuration and a policy for what is here."),
    Noun("serve", "trimtab.cli.serve", "Run the gateway."),
    Noun("check", "trimtab.cli.check", "Try what the configuration says."),
    Noun("doctor", "trimtab.cli.doctor", "Look at what surrounds this installation."),
    Noun("calls", "trimtab.cli.calls", "Import, list, show and export calls."),
    Noun("workloads", "trimtab.cli.workloads", "What each workload costs, on which models, how well."),
    Noun("models", "trimtab.cli.models", "The pool with prices and boundaries."),
    Noun("policy", "trimtab.cli.policy", "Check, compare, simulate, apply and roll back policies."),
    Noun("explain", "trimtab.cli.explain", "Why a call went, or a workload goes, to its model."),
    Noun("eval", "trimtab.cli.eval", "Suites, runs, comparisons and gates."),
    Noun("keys", "trimtab.cli.keys", "Create, list, change and revoke keys."),
    Noun("lab", "trimtab.cli.lab", "Train the embedded pool again and measure it."),
    Noun("audit", "trimtab.cli.audit", "The chained log of every change of policies and keys."),
)

EXIT_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (errors.PolicyRefused, 1),
    (errors.BudgetExhausted, 1),
    (errors.UpstreamError, 3),
    (errors.EngineError, 3),
    (errors.StoreError, 3),
    (errors.TrimtabError, 2),
    (OSError, 3),
)
"""0 done; 1 the answer is no; 2 usage or configuration; 3 something outside failed. The first that fits counts."""

INTERRUPTED = 130
BROKEN_PIPE = 141

# UsageError's base. Typer keeps Click under a name of its own since 0.26, so the class is reached through Typer.
_ClickException: type[Exception] = typer.BadParameter.__mro__[2]
_GLOBALS = ("--config", "-c", "--database")


def main(arguments: list[str] | None = None) -> None:
    """Run one command and leave the process with its exit code.

    Args:
        arguments: The words after ``trimtab``; the process's own when ``None``.
    """
    _open_standard_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal of another alphabet shows what it can
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def _open_standard_streams() -> None:
    """Put the null device where the caller closed a stream (``>&-``), or the next file opened would take its place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115  # lives as long as we do


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; expected failures print ``error:`` and ``hint:`` to stderr."""
    try:
        code = _invoke(globals_first(arguments) or ["--help"])
        sys.stdout.flush()
        return code
    except (KeyboardInterrupt, typer.Abort):
        _say("error: interrupted.")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`| head`). Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except _ClickException as exc:
        return _usage_error(exc)
    except (errors.TrimtabError, OSError) as exc:
        return _expected(exc)


def _invoke(words: list[str]) -> int:
    """Run the command without Click's own `main`, which ends the process in its own ways on Ctrl-C and broken pipes."""
    command = _command_tree(_noun_of(words))
    try:
        with command.make_context("trimtab", list(words)) as context:
            result = command.invoke(context)
    except typer.Exit as exc:
        return exc.exit_code
    return result if isinstance(result, int) else 0


def command_of(noun: str) -> Iterator[tuple[str, Any]]:  # Any: typer keeps the class of commands to itself
    """Yield the commands of a noun with the words that call them: itself, or its verbs in the order of the help."""
    yield from _leaves(f"trimtab {noun}", _command_tree(noun).commands[noun])


def _leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:  # Any: likewise
    verbs = getattr(command, "commands", None)
    if verbs is None:
        yield path, command
    else:
        for verb, inner in verbs.items():
            yield from _leaves(f"{path} {verb}", inner)


def globals_first(arguments: list[str]) -> list[str]:
    """Return the words with ``--config``, ``-c`` and ``--database`` moved to the front, where the root reads them.

    >>> globals_first(["serve", "-c", "a.yaml", "--port", "1"])
    ['-c', 'a.yaml', 'serve', '--port', '1']
    """
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in _GLOBALS:
            front += [word, *([value] if (value := next(words, None)) is not None else [])]
        elif word.startswith(("--config=", "--database=")):
            front.append(word)
        else:
            rest.append(word)
    return front + rest


def _noun_of(words: list[str]) -> str | None:
    skip = False
    for word in words:
        if skip or word.startswith("-"):
            skip = word in _GLOBALS
            continue
        return word
    return None


def _command_tree(wanted: str | None) -> Any:  # Any: typer keeps the class of commands to itself
    root: Any = typer.main.get_command(_application(wanted))
    _tidy(root)
    return root


def _tidy(command: Any) -> None:  # Any: likewise
    """Leave out of the help what only readers of the code want: errors raised, and Python's types of arguments."""
    command.help = (command.help or "").partition("\n\nRaises:")[0]
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = lambda ctx: None
    for inner in getattr(command, "commands", {}).values():
        _tidy(inner)


def _application(wanted: str | None) -> typer.Typer:
    """Return the command tree with only the wanted noun's module imported; the others are there by name and help."""
    application = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        epilog="New here? `trimtab demo` shows it, offline. `trimtab init` begins with your own models.",
    )
    application.callback()(_root)
    for noun in NOUNS:
        if noun.name != wanted:
            application.command(noun.name, help=noun.help)(_absent)
            continue
        module = importlib.import_module(noun.module)
        verbs = getattr(module, "app", None)
        if isinstance(verbs, typer.Typer):
            application.add_typer(verbs, name=noun.name, help=noun.help)
        else:
            run: Callable[..., object] = module.run
            application.command(noun.name)(run)  # its docstring says more than one line
    return application


def _absent() -> None:
    raise AssertionError("only the noun that was named is ever invoked")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"trimtab {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", metavar="FILE", help="Configuration file; else TRIMTAB_CONFIG, else ./trimtab.yaml."
        ),
    ] = None,
    database: Annotated[
        str | None, typer.Option(metavar="FILE|URL", help="Database file or URL; wins over the configuration.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Route first, shrink next, tune last: move each workload to the cheapest model proven good enough."""
    context.obj = replace(Invocation(), config=config, database=database)


def _usage_error(exc: BaseException) -> int:
    message = exc.format_message() if hasattr(exc, "format_message") else str(exc)
    message = message.replace("Value error, ", "")  # pydantic's words, which Typer passes on
    context = getattr(exc, "ctx", None)
    path = context.command_path if context is not None else "trimtab"
    if message.startswith("Missing option"):  # Click lists its choices below each other
        message = " ".join(message.split())
    if not message.strip() or "\n" in message.strip():  # a noun without its verb: Click's message is the whole help
        message = f"`{path}` needs one more word."
    _say(f"error: {message.strip()}", f"hint:  `{path} --help` lists what it takes.")
    return 2


def _expected(exc: errors.TrimtabError | OSError) -> int:
    if isinstance(exc, errors.TrimtabError):
        _say(f"error: {exc.message}", *([f"hint:  {exc.hint}"] if exc.hint else []))
    else:
        _say(f"error: {exc.filename or 'The system'}: {exc.strerror or exc}.")
    return next(code for kind, code in EXIT_CODES if isinstance(exc, kind))


def _say(*lines: str) -> None:
    sys.stdout.flush()
    for line in lines:
        note(line)
