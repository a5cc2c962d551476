"""Human labels: which answers a person called good. They are the truth that judges are measured by.

One label a line, so that they can be written by hand, by another tool, or by ``trimtab eval judge label``::

    {"case_id": "c1", "answer": "It is Paris.", "is_good": true}
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import msgspec

from trimtab.evaluation.judging.kept_lines import append_line, read_lines


class Label(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a person said of one answer to one case."""

    case_id: str
    answer: str
    """Letter for letter: another answer to the same case is another thing to judge."""
    is_good: bool
    labelled_by: str | None = None
    labelled_at_us: int | None = None

    @property
    def item(self) -> str:
        """What was labelled; see ``item_of``."""
        return item_of(self.case_id, self.answer)


def item_of(case_id: str, answer: str) -> str:
    """Return the name of an answer to a case: part of a digest of both, 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps([case_id, answer]).encode()).hexdigest()[:16]


def shuffle_key(text: str) -> str:
    """Return by what to sort in an order that chance made and that is the same on every machine and day.

    Labels given in this order are of a random part of the answers however early the person stops, which
    prediction-powered inference asks for.
    """
    return hashlib.sha256(b"label order 1:" + text.encode()).hexdigest()


def load_labels(path: Path) -> list[Label]:
    """Return the labels of a file; of two for the same answer the later one counts, and both stay on disk.

    Raises:
        ConfigurationError: the file cannot be read, or a line is no label; file and line are named.
    """
    return latest(read_lines(path, Label, what="The file of labels"))


def latest(labels: Iterable[Label]) -> list[Label]:
    """Return one label for each answer, the last one given."""
    return list({label.item: label for label in labels}.values())


def save_label(path: Path, label: Label) -> None:
    """Add a label to a file and return once the disk has it.

    Raises:
        OSError: the file cannot be written.
    """
    append_line(path, label)
