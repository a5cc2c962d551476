"""``trimtab eval judge label``: a person reads answers and says which are good."""

import getpass
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.eval_judge_options import AnswerLine, LabelsOption, Material, labels_file, material_of
from trimtab.cli.filters import JsonOption
from trimtab.core import SystemClock
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Case
from trimtab.evaluation.judging import Label, load_labels, save_label, shuffle_key

_INDENT = "    "
_KEYS = {word[:length]: word[0] for word in ("yes", "no", "skip", "back", "quit") for length in (1, len(word))}
_PROMPT = "Good? [y]es [n]o [s]kip [b]ack [q]uit: "


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """How the labels of a suite's answers stand."""

    suite: str
    file: str
    """Where the labels are."""
    n_now: int
    """Labels given just now."""
    n_good: int
    """All labels of the file for cases of this suite that call an answer good."""
    n_bad: int
    n_left: int
    """Answers here that nobody has labelled yet."""


def label_answers(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Runs; or a suite with --answers.", show_default=False),
    ],
    answers: Annotated[
        Path | None, typer.Option("--answers", metavar="FILE", help="Answers: case_id and answer, JSON Lines.")
    ] = None,
    labels: LabelsOption = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="Stop after so many.")] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who labels; else the user's name.")] = None,
    json: JsonOption = False,
) -> None:
    """Show one answer after the other and keep what you say of it.

    The order is chance, and the same every time: labels of a random part of the answers are what a correction takes.
    Who answered and what a judge said are not shown. Each label is on the disk before the next answer comes, so you may
    stop at any time and go on later.
    """
    invocation = invocation_of(context)
    settings = invocation.settings()
    material = material_of(invocation, sources, answers)
    path = labels_file(settings, material.suite, labels)
    known = {label.item for label in load_labels(path)}
    waiting = [line for line in _in_order(material) if _label(line, is_good=True).item not in known]
    n_now = _ask_all(material, waiting[:limit], path, by or _user())
    shown = _standing(material, path, n_now)
    if json:
        output.print_json(shown)
        return
    output.print_line(
        f"{output.counted(n_now, 'label')} now; {shown.n_good:,} good and {shown.n_bad:,} bad in all, "
        f"{output.counted(shown.n_left, 'answer')} left"
    )
    output.print_line(shown.file)


def _in_order(material: Material) -> list[AnswerLine]:
    """Return each answer once, all to one case together, cases in the order of chance.

    Raises:
        ConfigurationError: an answer is to no case of the suite, or there is none.
    """
    cases = {case.case_id for case in material.suite.cases}
    foreign = next((line.case_id for line in material.answers if line.case_id not in cases), None)
    if foreign is not None:
        raise ConfigurationError(
            f"Suite {material.suite.name!r} has no case {foreign[:80]!r}.", hint="Are these answers to another suite?"
        )
    if not material.answers:
        raise ConfigurationError("There is no answer to label.", hint="`trimtab eval run` asks a model for some.")
    return sorted(set(material.answers), key=lambda line: (shuffle_key(line.case_id), shuffle_key(line.answer)))


def _ask_all(material: Material, waiting: list[AnswerLine], path: Path, by: str | None) -> int:
    """Ask about each; return how many now have a label."""
    cases = {case.case_id: case for case in material.suite.cases}
    labelled: set[int] = set()
    place = 0
    while place < len(waiting):
        _show(cases[waiting[place].case_id], waiting[place], f"{place + 1} of {len(waiting)}")
        said = _key()
        if said == "q":
            break
        if said == "b":
            place = max(place - 1, 0)
            continue
        if said != "s":
            label = _label(waiting[place], is_good=said == "y", by=by, at_us=SystemClock().now_us())
            save_label(path, label)
            labelled.add(place)
        place += 1
    return len(labelled)


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run as a number without a name
        return None


def _show(case: Case, line: AnswerLine, place: str) -> None:
    parts: list[tuple[str, Iterable[str]]] = [
        ("Question", (one.content if one.role == "user" else f"({one.role}) {one.content}" for one in case.messages)),
        ("Context", [case.context]),
        ("Expected", [case.expected]),
        ("Answer", [line.answer or "(nothing)"]),
    ]
    output.note(f"-- {place}, case {case.case_id}")
    for name, texts in parts:
        for text in texts:
            if text.strip():
                # Indented, so that no line of it can pass for one of ours.
                output.note(f"{name}:\n{textwrap.indent(text.strip(), _INDENT)}")


def _key() -> str:
    """Return y, n, s, b or q; the end of the input is q."""
    while True:
        sys.stderr.write(_PROMPT)
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            sys.stderr.write("\n")
            return "q"
        said = _KEYS.get(line.strip().casefold())
        if said is not None:
            return said
        output.note("One of y, n, s, b and q, please.")


def _label(line: AnswerLine, *, is_good: bool, by: str | None = None, at_us: int | None = None) -> Label:
    return Label(case_id=line.case_id, answer=line.answer, is_good=is_good, labelled_by=by, labelled_at_us=at_us)


def _standing(material: Material, path: Path, n_now: int) -> Labelled:
    cases = {case.case_id for case in material.suite.cases}
    found = [label for label in load_labels(path) if label.case_id in cases]
    known = {label.item for label in found}
    return Labelled(
        suite=material.suite.name,
        file=str(path),
        n_now=n_now,
        n_good=sum(label.is_good for label in found),
        n_bad=sum(not label.is_good for label in found),
        n_left=sum(_label(line, is_good=True).item not in known for line in set(material.answers)),
    )
