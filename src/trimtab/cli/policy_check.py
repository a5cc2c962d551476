"""``trimtab policy lint`` and ``trimtab policy test``: what a file says, before anybody puts it in force."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from trimtab.catalog import Pool
from trimtab.cli import output
from trimtab.cli.context import Invocation, invocation_of
from trimtab.cli.filters import JsonOption
from trimtab.cli.output import counted
from trimtab.core.errors import ConfigurationError, PolicyInvalid
from trimtab.policy import Finding, Policy, TestOutcome, lint_policy, load_policy, run_policy_tests

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Policy file.", show_default=False)]
FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE", help="Policy files.", show_default=False)]


def read_policy_text(path: Path) -> str:
    """Return a policy file's text.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return path.read_text()
    except OSError as exc:
        raise ConfigurationError(
            f"The policy file {path} cannot be read: {exc.strerror}.", hint="`trimtab init` writes one to begin with."
        ) from exc
    except UnicodeDecodeError as exc:
        raise ConfigurationError(f"The policy file {path} is not UTF-8 text.") from exc


def lint(context: typer.Context, files: FilesArgument, json: JsonOption = False) -> int:
    """Say what is wrong or doubtful in a policy, its own tests included. Exits 1 when it could not be put in force.

    Models are checked against the configured pool; without a configuration those checks are left out.
    """
    pool = _pool_of(invocation_of(context))
    findings = [finding for path in files for finding in _findings(path, pool)]
    n_errors = sum(finding.is_error for finding in findings)
    if json:
        output.print_json(findings)
    else:
        _print_findings(findings)
        output.print_line(
            f"{counted(n_errors, 'error')}, {counted(len(findings) - n_errors, 'warning')} in {_files(files)}"
        )
        if pool is None:
            output.note("No models are configured, so the models it names were not checked.")
    return 1 if n_errors else 0


def run_tests(context: typer.Context, files: FilesArgument, json: JsonOption = False) -> int:
    """Run the `tests:` of a policy against the configured pool. Exits 1 when one fails.

    Raises:
        PolicyInvalid: a file cannot be read as a policy.
    """
    pool = _pool_of(invocation_of(context)) or Pool.of(())
    outcomes = [
        outcome
        for path in files
        for outcome in run_policy_tests(load_policy(read_policy_text(path), origin=str(path)), pool)
    ]
    n_failed = sum(not outcome.passed for outcome in outcomes)
    if json:
        output.print_json(outcomes)
    else:
        for outcome in outcomes:
            said = f": {outcome.message}" if outcome.message else ""
            output.print_line(f"{'passed' if outcome.passed else 'FAILED'}  {outcome.where}  {outcome.name}{said}")
        output.print_line(f"{len(outcomes) - n_failed} passed, {n_failed} failed in {_files(files)}")
        if not outcomes:
            output.note("A policy's `tests:` say which call may go where; they run at every apply.")
    return 1 if n_failed else 0


def _pool_of(invocation: Invocation) -> Pool | None:
    from trimtab.wiring import pool_of

    pool = pool_of(invocation.settings())
    return pool if len(pool) else None


def _findings(path: Path, pool: Pool | None) -> list[Finding]:
    text = read_policy_text(path)
    try:
        policy = load_policy(text, origin=str(path))
    except PolicyInvalid as exc:
        return [_unreadable(line, str(path), exc.hint) for line in exc.message.splitlines()]
    findings = lint_policy(policy, pool, today=datetime.now(UTC).date())
    return findings + _failures(policy, pool)


def _failures(policy: Policy, pool: Pool | None) -> list[Finding]:
    """Return the tests that fail. Without a pool every model is missing, so they say nothing."""
    outcomes: Sequence[TestOutcome] = run_policy_tests(policy, pool) if pool is not None else ()
    return [
        Finding(
            code="failed-test",
            where=outcome.where,
            message=f"Test {outcome.name!r} fails: {outcome.message}",
            is_error=True,
            hint="Correct the rule or the expectation.",
        )
        for outcome in outcomes
        if not outcome.passed
    ]


def _unreadable(line: str, origin: str, hint: str | None) -> Finding:
    """Return one problem that kept a file from being read; its line begins with ``file:line:`` where that is known."""
    where, _, message = line.partition(": ")
    if not where.startswith(origin):
        where, message = origin, line
    return Finding(code="unreadable", where=where, message=message, is_error=True, hint=hint or "")


def _print_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        kind = "error" if finding.is_error else "warning"
        output.print_line(f"{finding.where}: {kind}: {finding.message} [{finding.code}]")
    for hint in dict.fromkeys(finding.hint for finding in findings if finding.hint):
        output.note(f"hint:  {hint}")


def _files(files: Sequence[Path]) -> str:
    return str(files[0]) if len(files) == 1 else f"{len(files)} files"
