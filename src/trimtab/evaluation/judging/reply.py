"""The form of a judge's reply, and how it is read: as JSON by a schema, or by one last line that nobody can forge."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
LONGEST_REASON = 400
"""Characters of a reason that are kept."""


class Reply(NamedTuple, Generic[T]):
    """A reply that could be read."""

    verdict: T
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Form(Generic[T]):
    """What a reply must look like. Anything else is unparsable: no verdict is ever guessed from prose."""

    word: str
    """Names the verdict, such as ``rating``."""
    verdicts: Mapping[str, T]
    """What may be said, as it is written, and what it means."""
    mark: str
    """Unknown to whoever wrote what is judged, so that an answer quoted in the reply cannot be its last line."""
    as_json: bool
    """Whether the model can be held to a schema."""

    @property
    def instruction(self) -> str:
        """How to reply, for the judge."""
        allowed = ", ".join(self.verdicts)
        if self.as_json:
            return (
                f'Reply with one JSON object and nothing else: "reason", one or two sentences, then "{self.word}", '
                f"one of: {allowed}."
            )
        return (
            "Give your reason in one or two sentences. Then end with exactly one line of this form and nothing after "
            f"it:\n{self.word}-{self.mark}: VERDICT\nwhere VERDICT is one of: {allowed}."
        )

    @property
    def reminder(self) -> str:
        """What is added to the question after a reply in another form."""
        how = "one JSON object" if self.as_json else f"a last line that begins with {self.word}-{self.mark}:"
        return f"\n\nAn earlier reply had not the form that was asked for. Reply with {how}, as told above."

    @property
    def json_schema(self) -> dict[str, object] | None:
        """The schema of a reply; the reason comes first, so that it is thought before the verdict is given."""
        if not self.as_json:
            return None
        spelled = [int(one) if _is_number(one) else one for one in self.verdicts]
        kind = "integer" if all(isinstance(one, int) for one in spelled) else "string"
        return {
            "type": "object",
            "properties": {"reason": {"type": "string"}, self.word: {"type": kind, "enum": spelled}},
            "required": ["reason", self.word],
            "additionalProperties": False,
        }

    def read(self, text: str) -> Reply[T] | str:
        """Return the reply, or in words why it cannot be read."""
        return self._read_json(text) if self.as_json else self._read_line(text)

    def _read_json(self, text: str) -> Reply[T] | str:
        try:
            found = json.loads(text, object_pairs_hook=_without_repeats)
        except (ValueError, RecursionError):
            return "it is not one JSON object"
        if not isinstance(found, dict) or found.keys() != {"reason", self.word}:
            return f'it is not an object of "reason" and "{self.word}"'
        said, reason = found[self.word], found["reason"]
        if isinstance(said, bool) or not isinstance(said, int | str) or not isinstance(reason, str):
            return f'"{self.word}" or "reason" is of another kind'
        return self._verdict(str(said), reason)

    def _read_line(self, text: str) -> Reply[T] | str:
        lines = text.strip().splitlines()
        marked = [line for line in lines if f"{self.word}-{self.mark}".casefold() in line.casefold()]
        if len(marked) != 1 or marked[0] != lines[-1]:
            return f"it has {len(marked)} lines with the verdict's mark, not one at its end"
        found = re.fullmatch(rf"\W*{self.word}-{self.mark}\W*:\W*?(-?\w+)\W*", lines[-1].strip(), re.IGNORECASE)
        if found is None:
            return "its last line has another form"
        return self._verdict(found[1].casefold(), " ".join(lines[:-1]))

    def _verdict(self, said: str, reason: str) -> Reply[T] | str:
        if said not in self.verdicts:
            return f"{said[:20]!r} is none of the verdicts"
        return Reply(self.verdicts[said], " ".join(reason.split())[:LONGEST_REASON])


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse an object that says a thing twice: readers differ in which of the two they believe."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is used twice")
    return found


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+", text) is not None
