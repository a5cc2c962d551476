"""Suites on disk: JSON Lines, first the suite's name and version, then one case a line.

::

    {"suite": "support", "version": "1"}
    {"case_id": "c1", "prompt": "2 + 2 =", "expected": "4", "stratum": "routine", "task_type": "math"}
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.case import Case, Message, ScorerSpec, user_prompt
from trimtab.evaluation.drafting import SuiteDraft, SuiteReading
from trimtab.evaluation.suite import Plan, Suite

_Kind = TypeVar("_Kind", bound=msgspec.Struct)
_NO_HEAD = 'the first line is {"suite": NAME, "version": VERSION}'


class _Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    suite: str
    version: str
    plan: Plan = Plan()


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A case as it is written: ``prompt`` stands for a conversation of one question."""

    case_id: str
    prompt: str | None = None
    messages: tuple[Message, ...] | None = None
    expected: str
    stratum: str
    context: str = ""
    scorer: ScorerSpec | None = None
    task_type: str = "unknown"
    tags: tuple[str, ...] = ()


def load_suite(path: Path) -> Suite:
    """Read a suite of which every line can be used; ``read_suite`` gives the rest of one that has others.

    Args:
        path: JSON Lines in UTF-8; empty lines are skipped.

    Raises:
        ConfigurationError: the file cannot be read, lines are no case, or the plan asks for what the cases cannot give.
            The first problems are named with file, line and rule, and all are counted.
    """
    return read_suite(path).required()


def read_suite(path: Path) -> SuiteReading:
    """Read a suite as far as it goes, with everything that is wrong with it.

    Args:
        path: As for ``load_suite``.

    Raises:
        ConfigurationError: the file cannot be read at all.
    """
    draft, head = SuiteDraft(str(path)), None
    for line, text in _lines(path):
        try:
            if head is None:
                head = _decoded(text, _Head)
            else:
                draft.add(_case(_decoded(text, _Line)), line)
        except ValueError as exc:
            draft.refuse(str(exc), line)
            if head is None:
                return draft.abandoned()
    if head is None:
        draft.refuse(_NO_HEAD, 1)
        return draft.abandoned()
    return draft.reading(head.suite, head.version, head.plan)


def save_suite(suite: Suite, path: Path) -> None:
    """Write a suite; ``load_suite`` gives it back with the same digest.

    The file is complete or not there: it is written beside its place and moved.

    Raises:
        OSError: the folder cannot be written to.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    unfinished.write_bytes(encode_suite(suite))
    unfinished.replace(path)


def encode_suite(suite: Suite) -> bytes:
    """Return what ``save_suite`` writes."""
    head = _Head(suite=suite.name, version=suite.version, plan=suite.plan)
    return b"\n".join(map(msgspec.json.encode, [head, *map(_line, suite.cases)])) + b"\n"


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each line that is not empty, with its number."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"The suite {path} cannot be read: {exc}.", hint="Is it JSON Lines in UTF-8?") from exc
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def _decoded(text: str, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as exc:
        if kind is _Head:
            raise ValueError(f"{exc}; {_NO_HEAD}") from exc
        raise ValueError(str(exc)) from exc


def _case(line: _Line) -> Case:
    if (line.prompt is None) is (line.messages is None):
        raise ValueError(f"case {line.case_id!r} needs either a prompt or messages")
    messages = line.messages if line.prompt is None else user_prompt(line.prompt)
    return Case(
        case_id=line.case_id,
        messages=messages or (),
        expected=line.expected,
        stratum=line.stratum,
        context=line.context,
        scorer=line.scorer,
        task_type=line.task_type,
        tags=line.tags,
    )


def _line(case: Case) -> _Line:
    is_prompt = case.messages == user_prompt(case.messages[0].content)
    return _Line(
        case_id=case.case_id,
        prompt=case.messages[0].content if is_prompt else None,
        messages=None if is_prompt else case.messages,
        expected=case.expected,
        stratum=case.stratum,
        context=case.context,
        scorer=case.scorer,
        task_type=case.task_type,
        tags=case.tags,
    )
