"""What the commands about judges share: where cases, answers and labels come from, and where cards are kept."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer

from trimtab.cli.context import Invocation
from trimtab.cli.eval_suite_options import opened_suite
from trimtab.core import SystemClock
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Run, Suite
from trimtab.store import EvaluationStore
from trimtab.wiring import Settings

LabelsOption = Annotated[
    Path | None,
    typer.Option("--labels", metavar="FILE", help="Labels, JSON Lines; else those of the suite in the data directory."),
]
SourceArgument = Annotated[
    str, typer.Argument(metavar="SOURCE", help="Suite file, or a run of it.", show_default=False)
]


class AnswerLine(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to a case of a suite, as a line of a file."""

    case_id: str
    answer: str


class Material(NamedTuple):
    """Cases with answers to them."""

    suite: Suite
    answers: list[AnswerLine]


@contextmanager
def evaluations(invocation: Invocation) -> Iterator[EvaluationStore]:
    """Give the store of suites and runs.

    Raises:
        StoreError: the database cannot be opened.
    """
    database = invocation.open_database()
    try:
        yield EvaluationStore(database, SystemClock())
    finally:
        database.close()


def suite_of(invocation: Invocation, source: str) -> Suite:
    """Return the suite in a file, or the one that a run was over.

    Raises:
        ConfigurationError: the file cannot be used.
        NotFound: it is no file, and no run has an id that begins like this.
    """
    if Path(source).is_file():
        return opened_suite(Path(source), skip_invalid=False)
    with evaluations(invocation) as store:
        return store.load_suite(store.find(source).plan.suite_digest)


def runs_of(invocation: Invocation, run_ids: Sequence[str]) -> tuple[Suite, list[Run]]:
    """Return runs and the suite that all of them are over.

    Raises:
        ConfigurationError: they are over different suites.
        NotFound: no run has an id that begins like this.
    """
    with evaluations(invocation) as store:
        found = [store.load_run(store.find(run_id).run_id) for run_id in run_ids]
        digests = {run.suite_digest for run in found}
        if len(digests) > 1:
            raise ConfigurationError(
                f"These runs are over {len(digests)} different suites.", hint="Give runs over one suite."
            )
        return store.load_suite(digests.pop()), found


def material_of(invocation: Invocation, sources: Sequence[str], answers: Path | None) -> Material:
    """Return cases and answers: of runs, or of a suite file with a file of answers.

    Raises:
        ConfigurationError: a file cannot be used, or the sources do not belong together.
        NotFound: a source is neither a file nor a run.
    """
    if answers is not None:
        if len(sources) != 1:
            raise ConfigurationError(
                f"{len(sources)} sources beside --answers.", hint="--answers goes with the suite that they answer."
            )
        return Material(suite_of(invocation, sources[0]), _answer_lines(answers))
    if any(Path(source).is_file() for source in sources):
        raise ConfigurationError(
            "A suite has questions and no answers.", hint="Give a run, or the suite with --answers FILE."
        )
    suite, runs = runs_of(invocation, sources)
    given = [result for run in runs for result in run.results if result.answer is not None]
    return Material(suite, [AnswerLine(case_id=one.case_id, answer=one.answer.text) for one in given if one.answer])


def labels_file(settings: Settings, suite: Suite, named: Path | None) -> Path:
    """Return where labels are: the file that was named, else the suite's own in the data directory."""
    return named or settings.data_dir / "labels" / f"{_file_name(suite.name)}.jsonl"


def cards_folder(settings: Settings) -> Path:
    """Return where judge cards are kept."""
    return settings.data_dir / "judges"


def _answer_lines(path: Path) -> list[AnswerLine]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"The answers {path} cannot be read: {exc}.", hint="JSON Lines in UTF-8?") from exc
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(msgspec.json.decode(line, type=AnswerLine))
            except msgspec.DecodeError as exc:
                raise ConfigurationError(
                    f"A line is no answer: {exc} ({path}:{number}).", hint='{"case_id": "c1", "answer": "…"} a line.'
                ) from exc
    return found


def _file_name(name: str) -> str:
    """Return a name that every file system takes; two suites never share it.

    >>> _file_name("support"), _file_name("../a b")
    ('support', '_a_b-2c2c791a')
    """
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:60]
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
