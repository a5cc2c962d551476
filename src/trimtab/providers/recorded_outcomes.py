"""A file of recorded outcomes in memory: who answered what, how well, at what cost.

A row is found by prompt and model. Figures stand in arrays and equal texts are kept once, so 200,000 rows of published
outcomes take some 60 MB.
"""

import math
from array import array
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, Self

from trimtab.core.errors import ConfigurationError
from trimtab.ingest import FieldError, Fields, RawRow, prompt_id_of, read_rows

_UNKNOWN = -1
_TEXTS = ("response_text", "answer")


class RecordedOutcome(NamedTuple):
    """What one model once made of one prompt; ``None`` is not recorded."""

    row: int
    """Its number in the file, from 0; rows that repeat a prompt and model are not counted."""
    text: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_nano_usd: int | None
    score: float | None
    """Quality as a fraction of 1."""
    embedding: tuple[float, ...] | None


class RecordedOutcomes:
    """The rows of a file, by prompt and model. The first row of a prompt and model counts, as in an import."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, int]] = {}
        self._prompt_of: dict[bytes, str] = {}
        self._texts: list[str | None] = []
        self._input_tokens = array("q")
        self._output_tokens = array("q")
        self._costs = array("q")
        self._scores = array("d")
        self._embeddings: dict[int, array[float]] = {}
        self._kept: dict[str, str] = {}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file of any container that ``calls import`` reads.

        Raises:
            ConfigurationError: the file cannot be read, holds no row, or one of its rows is no outcome; the message
                names file and line.
        """
        loaded = cls()
        for raw in read_rows(path):
            if not isinstance(raw, RawRow):
                raise _bad_row(raw.place.file, raw.place.line, raw.reason)
            try:
                loaded._add(Fields(raw.row))
            except FieldError as exc:
                raise _bad_row(raw.place.file, raw.place.line, str(exc)) from exc
        if not loaded._texts:
            raise ConfigurationError(f"{path} holds no recorded outcome.", hint="Give a file with rows in it.")
        loaded._kept.clear()
        return loaded

    def __len__(self) -> int:
        return len(self._texts)

    def models_of(self, prompt_id: str) -> list[str]:
        """Return who answered the prompt, by name; empty for a prompt that the file does not have."""
        return sorted(self._rows.get(prompt_id, ()))

    def prompt_id_of_text(self, text: str) -> str | None:
        """Return the first prompt with exactly this text."""
        return self._prompt_of.get(_digest(text))

    def find(self, prompt_id: str, model: str) -> RecordedOutcome | None:
        """Return the outcome of a model on a prompt."""
        row = self._rows.get(prompt_id, {}).get(model)
        if row is None:
            return None
        score, embedding = self._scores[row], self._embeddings.get(row)
        return RecordedOutcome(
            row=row,
            text=self._texts[row],
            input_tokens=_known(self._input_tokens[row]),
            output_tokens=_known(self._output_tokens[row]),
            cost_nano_usd=_known(self._costs[row]),
            score=None if math.isnan(score) else score,
            embedding=None if embedding is None else tuple(embedding),
        )

    def _add(self, row: Fields) -> None:
        prompt_id, model = self._once(prompt_id_of(row)), self._once(row.required_name("model"))
        models = self._rows.get(prompt_id)
        if models is None:
            models = self._rows[prompt_id] = {}
            prompt = row.text("prompt")
            if prompt is not None:
                self._prompt_of.setdefault(_digest(prompt), prompt_id)
        if model in models:
            return
        score, text, embedding = row.fraction("score", "quality_fraction"), _text(row), _embedding(row)
        figures = row.count("input_tokens"), row.count("output_tokens"), row.nano_usd("cost_usd")
        models[model] = len(self._texts)
        if embedding is not None:
            self._embeddings[len(self._texts)] = embedding
        self._texts.append(None if text is None else self._once(text))
        self._scores.append(math.nan if score is None else score)
        for column, figure in zip((self._input_tokens, self._output_tokens, self._costs), figures, strict=True):
            column.append(_UNKNOWN if figure is None else figure)

    def _once(self, text: str) -> str:
        return self._kept.setdefault(text, text)


def _known(figure: int) -> int | None:
    return None if figure == _UNKNOWN else figure


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


def _text(row: Fields) -> str | None:
    """Return the answer verbatim: unlike in other columns, ``None`` or ``null`` may be what a model said."""
    for name in _TEXTS:
        value = row.row.get(name)
        if isinstance(value, str) and value:
            return value
        if value is not None and value != "":
            return row.text(name)
    return None


def _embedding(row: Fields) -> "array[float] | None":
    values = row.row.get("embedding")
    if values is None:
        return None
    if not isinstance(values, list) or not values:
        raise FieldError("embedding is not a list of numbers")
    try:
        return array("f", [float(value) for value in values])
    except (TypeError, ValueError, OverflowError):
        raise FieldError("embedding is not a list of numbers") from None


def _bad_row(file: str, line: int, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{file}:{line}: {reason}.",
        hint="A recorded outcome has prompt_id and model; docs/reference/recorded-outcomes.md lists the columns.",
    )
