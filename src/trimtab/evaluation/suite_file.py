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
from trimtab.evaluation.suite import Plan, Suite, problem_of

_Kind = TypeVar("_Kind", bound=msgspec.Struct)


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
    """Read a suite.

    Args:
        path: JSON Lines in UTF-8; empty lines are skipped.

    Raises:
        ConfigurationError: the file cannot be read, or a line is no case; file and line are named.
    """
    lines = _lines(path)
    head_place, head_text = next(lines, (f"{path}:1", ""))
    head = _decoded(head_text, _Head, head_place)
    cases: list[Case] = []
    seen: set[str] = set()
    for place, text in lines:
        case = _case(_decoded(text, _Line, place), place)
        problem = problem_of(case, seen)
        if problem:
            raise _refusal(place, problem)
        seen.add(case.case_id)
        cases.append(case)
    return Suite(name=head.suite, version=head.version, cases=tuple(cases), plan=head.plan)


def save_suite(suite: Suite, path: Path) -> None:
    """Write a suite; ``load_suite`` gives it back with the same digest.

    The file is complete or not there: it is written beside its place and moved.

    Raises:
        OSError: the folder cannot be written to.
    """
    head = _Head(suite=suite.name, version=suite.version, plan=suite.plan)
    content = b"\n".join(map(msgspec.json.encode, [head, *map(_line, suite.cases)])) + b"\n"
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield ``file:line`` and the text of each line that is not empty."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"The suite {path} cannot be read: {exc}.", hint="Is it JSON Lines in UTF-8?") from exc
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path}:{number}", line


def _decoded(text: str, kind: type[_Kind], place: str) -> _Kind:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as exc:
        raise _refusal(place, str(exc)) from exc


def _case(line: _Line, place: str) -> Case:
    if (line.prompt is None) is (line.messages is None):
        raise _refusal(place, f"case {line.case_id!r} needs either a prompt or messages")
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


def _refusal(place: str, problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"The suite cannot be used: {problem} ({place}).",
        hint='First line {"suite": NAME, "version": VERSION}, then case_id, prompt, expected and stratum a line.',
    )
