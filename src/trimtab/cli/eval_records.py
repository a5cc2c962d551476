"""Runs and comparisons that commands are given: by the id of a run in the store, or as a file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec
import typer

from trimtab.cli.context import invocation_of
from trimtab.cli.eval_judge_options import cards_folder
from trimtab.core import SystemClock
from trimtab.core.errors import ConfigurationError, NotFound
from trimtab.evaluation import Case, ComparisonReport, Run, Suite, load_suite
from trimtab.evaluation.judging import Admission, AdmissionFloor, judges_of, kept_admissions

if TYPE_CHECKING:
    from trimtab.store import EvaluationStore

_Kind = TypeVar("_Kind", bound=msgspec.Struct)


class Loaded(NamedTuple):
    """A run, with its suite where that is at hand."""

    run: Run
    suite: Suite | None


def load_runs(context: typer.Context, names: Sequence[str], *, suite_file: Path | None = None) -> list[Loaded]:
    """Read runs.

    Args:
        context: Says where the store is; it is opened only when a name is no file.
        names: Ids of stored runs, or the beginnings of such, or files with a run as JSON.
        suite_file: The suite, for runs from files.

    Raises:
        ConfigurationError: a file is no run, the suite is not that of the runs, or a stored run is not finished.
        NotFound: there is neither such a file nor such a run.
    """
    suite = None if suite_file is None else load_suite(suite_file)
    found: dict[str, Loaded] = {}
    for name in names:
        if name not in found and Path(name).is_file():
            found[name] = Loaded(_run_in(Path(name)), None)
    missing = [name for name in names if name not in found]
    if missing:
        with _open_store(context) as store:
            found.update({name: _stored(store, name) for name in missing})
    return [_with_suite(found[name], suite, suite_file) for name in names]


def load_shown(context: typer.Context, name: str, *, suite_file: Path | None = None) -> Loaded | ComparisonReport:
    """Read a run, or a comparison that ``eval compare --output`` wrote.

    Raises:
        ConfigurationError: as ``load_runs``, or a file is neither.
        NotFound: as ``load_runs``.
    """
    path = Path(name)
    if path.is_file() and b'"contests"' in path.read_bytes():
        return _decoded(path, ComparisonReport, "comparison")
    return load_runs(context, [name], suite_file=suite_file)[0]


def cases_of(loaded: Sequence[Loaded]) -> dict[str, dict[str, Case]]:
    """Return the cases by id, by digest of their suite, of the suites at hand."""
    return {
        one.run.suite_digest: {case.case_id: case for case in one.suite.cases}
        for one in loaded
        if one.suite is not None
    }


def admissions_of(context: typer.Context, runs: Sequence[Run]) -> dict[str, Admission]:
    """Decide on the judges that graded by their newest cards; one that graded several suites must hold on each.

    Raises:
        ConfigurationError: the configuration or a file of cards cannot be read.
    """
    judged = [run for run in runs if judges_of(run.scorers)]
    if not judged:
        return {}
    folder, found = cards_folder(invocation_of(context).settings()), dict[str, Admission]()
    for run in judged:
        floor = AdmissionFloor(rate=run.plan.judge_floor)
        admissions = kept_admissions(folder, judges_of(run.scorers), suite_name=run.suite_name, floor=floor)
        for digest, admission in admissions.items():
            if digest not in found or not admission.is_admitted:
                found[digest] = admission
    return found


@contextmanager
def _open_store(context: typer.Context) -> "Iterator[EvaluationStore]":
    from trimtab.store import EvaluationStore

    database = invocation_of(context).open_database()
    try:
        yield EvaluationStore(database, SystemClock())
    finally:
        database.close()


def _stored(store: "EvaluationStore", name: str) -> Loaded:
    try:
        stored = store.find(name)
    except NotFound as exc:
        raise NotFound(
            f"{name!r} is neither a file nor one run in the store: {exc.message}",
            hint="`trimtab eval list` shows the runs; a file holds a run as JSON.",
        ) from exc
    if stored.state != "finished":
        raise ConfigurationError(
            f"Run {stored.run_id} of {stored.plan.model!r} is not finished, so its cases are not all there.",
            hint="The same `trimtab eval run` again goes on with it.",
        )
    run = store.load_run(stored.run_id)
    return Loaded(run, store.load_suite(run.suite_digest))


def _run_in(path: Path) -> Run:
    return _decoded(path, Run, "run")


def _decoded(path: Path, kind: type[_Kind], what: str) -> _Kind:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ConfigurationError(
            f"{path} is no {what}: {exc}.",
            hint="`trimtab eval export RUN --format json` writes a run, `trimtab eval compare --output` a comparison.",
        ) from exc


def _with_suite(loaded: Loaded, suite: Suite | None, path: Path | None) -> Loaded:
    """Join a run and the suite that was given; margin and strata that were changed by hand do not pass."""
    known = suite or loaded.suite
    if known is None:
        return loaded
    run = loaded.run
    if (known.digest, known.plan) != (run.suite_digest, run.plan):
        raise ConfigurationError(
            f"The run of {run.model!r} is of suite {run.suite_name!r} with digest {run.suite_digest[:12]}, "
            f"and {path or 'the stored suite'} has digest {known.digest[:12]}"
            + ("." if known.digest != run.suite_digest else " with another plan."),
            hint="The suite was changed after the run; run it again over the new one.",
        )
    return Loaded(run, known)
