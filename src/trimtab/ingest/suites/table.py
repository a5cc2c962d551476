"""A table of questions as a suite: CSV, JSON Lines, one JSON list or Parquet, one case a row."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Case, Message, SuiteDraft, user_prompt
from trimtab.ingest.fields import Value
from trimtab.ingest.files import RawRow, read_rows
from trimtab.ingest.suites.imported import ImportedSuite, SuiteOptions

TABLE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "case_id": ("case_id", "id"),
    "prompt": ("prompt", "question", "input", "query"),
    "messages": ("messages",),
    "system": ("system", "system_prompt"),
    "expected": ("expected", "answer", "target", "reference", "ideal", "label"),
    "stratum": ("stratum", "category", "subject"),
    "context": ("context",),
    "task_type": ("task_type",),
    "tags": ("tags",),
    "cluster": ("cluster",),
}
"""Field of a case to the columns that are taken for it unless one is named, the first that is there."""
ALL_CASES = "all"
"""The stratum where nothing says which."""


def read_table_suite(path: Path, options: SuiteOptions) -> ImportedSuite:
    """Read a table of questions.

    Args:
        path: The file; its container is told from its content.
        options: Among them which column is which field.

    Raises:
        ConfigurationError: the file cannot be read, or has no column for the question or for the expected answer.
    """
    draft, columns = SuiteDraft(str(path)), None
    for number, raw in enumerate(read_rows(path), start=1):
        if not isinstance(raw, RawRow):
            draft.refuse(raw.reason, raw.place.line)
            continue
        columns = columns or _Columns(path, raw.row, options)
        try:
            draft.add(columns.case(raw.row, number), raw.place.line)
        except ValueError as exc:
            draft.refuse(str(exc), raw.place.line)
    plan = options.plan if options.scorer is None else msgspec.structs.replace(options.plan, scorer=options.scorer)
    reading = draft.reading(options.name, options.version, plan)
    return ImportedSuite(reading=reading, notes=() if columns is None else (columns.note,))


class _Columns:
    """Which column is which field of a case.

    Args:
        path: The file, for errors.
        row: Its first row.
        options: What was asked for.

    Raises:
        ConfigurationError: a column that was named is not there, or one that is needed cannot be told.
    """

    def __init__(self, path: Path, row: Mapping[str, Value], options: SuiteOptions) -> None:
        self._options = options
        known = {_plain(name): name for name in row}
        self._names = dict(_found(row, options.mapping))
        self._by_shape = {tuple(row): self._names}
        for field, column in options.mapping.items():
            if _plain(column) not in known:
                raise _no_column(path, f"no column {column!r}, which was named for `{field}`", field, column, row)
        for needed in ("prompt", "expected"):
            if needed not in self._names and not (needed == "prompt" and "messages" in self._names):
                raise _no_column(path, f"no column for `{needed}`", needed, needed, row)

    @property
    def note(self) -> str:
        """Which columns were taken for what."""
        return "Columns: " + ", ".join(f"{field}={column}" for field, column in self._names.items())

    def case(self, row: Mapping[str, Value], number: int) -> Case:
        """Return the case in a row.

        Raises:
            ValueError: a cell is empty or cannot be what it should be.
        """
        names = self._of(row)
        stratum = self._text(row, "stratum") if "stratum" in names else self._options.stratum or ALL_CASES
        return Case(
            case_id=self._text(row, "case_id") if "case_id" in names else f"row-{number}",
            messages=self._messages(row),
            expected=self._required(row, "expected"),
            stratum=stratum.strip(),
            context=self._text(row, "context"),
            task_type=self._text(row, "task_type") or "unknown",
            tags=self._tags(row),
        )

    def _messages(self, row: Mapping[str, Value]) -> tuple[Message, ...]:
        system = self._text(row, "system")
        before = (Message(role="system", content=system),) if system else ()
        turns = self._value(row, "messages")
        if turns is not None:
            return before + _conversation(turns, self._of(row)["messages"])
        return before + user_prompt(self._required(row, "prompt"))

    def _tags(self, row: Mapping[str, Value]) -> tuple[str, ...]:
        value = self._value(row, "tags")
        named = value if isinstance(value, list) else self._text(row, "tags").replace(";", ",").split(",")
        cluster = self._text(row, "cluster")
        tags = [str(tag).strip() for tag in named if str(tag).strip()]
        return (*tags, f"cluster:{cluster}") if cluster else tuple(tags)

    def _value(self, row: Mapping[str, Value], field: str) -> Value:
        column = self._of(row).get(field)
        return None if column is None else row.get(column)

    def _of(self, row: Mapping[str, Value]) -> Mapping[str, str]:
        """Return the columns of a row: in JSON Lines each may have its own."""
        shape = tuple(row)
        if shape not in self._by_shape:
            self._by_shape[shape] = dict(_found(row, self._options.mapping))
        return self._by_shape[shape]

    def _text(self, row: Mapping[str, Value], field: str) -> str:
        return cell_text(self._value(row, field))

    def _required(self, row: Mapping[str, Value], field: str) -> str:
        text = self._text(row, field)
        if not text.strip():
            raise ValueError(f"column {self._of(row).get(field, field)!r} ({field}) is empty")
        return text


def cell_text(value: Value) -> str:
    """Return a cell as text: as it is, numbers with their digits, nested values as JSON, nothing as nothing.

    >>> cell_text(None), cell_text(" 4"), cell_text(Decimal("4.50")), cell_text(True), cell_text(["a"])
    ('', ' 4', '4.50', 'true', '["a"]')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return msgspec.json.encode(value).decode()
    return str(value)


def _conversation(value: Value, column: str) -> tuple[Message, ...]:
    try:
        if isinstance(value, str):
            return msgspec.json.decode(value, type=tuple[Message, ...])
        return msgspec.convert(value, tuple[Message, ...])
    except (msgspec.DecodeError, msgspec.ValidationError) as exc:
        raise ValueError(f"column {column!r} (messages) is no list of turns: {exc}") from exc


def _found(row: Mapping[str, Value], mapping: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    known = {_plain(name): name for name in row}
    for field, aliases in TABLE_FIELDS.items():
        named = mapping.get(field)
        for name in aliases if named is None else (named,):
            if _plain(name) in known:
                yield field, known[_plain(name)]
                break


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _no_column(path: Path, problem: str, field: str, wanted: str, row: Mapping[str, Value]) -> ConfigurationError:
    near = get_close_matches(wanted, list(row), n=1)
    return ConfigurationError(
        f"{path} has {problem}; it has {', '.join(list(row)[:30])}.",
        hint=f"Say which one it is: --map {field}={near[0] if near else 'COLUMN'}.",
    )
