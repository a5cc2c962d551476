"""How far a call's content may travel."""

from enum import IntEnum
from typing import Literal


class Sensitivity(IntEnum):
    """Ordered: a higher level is stricter. Where no label is known the strictest holds."""

    PUBLIC = 0
    INTERNAL = 1
    CONFIDENTIAL = 2
    RESTRICTED = 3

    @property
    def label(self) -> str:
        """The word used in files, headers and tables."""
        return self.name.lower()


SensitivityLabel = Literal["public", "internal", "confidential", "restricted"]
STRICTEST = Sensitivity.RESTRICTED
_BY_LABEL = {level.label: level for level in Sensitivity}


def parse_sensitivity(label: str) -> Sensitivity:
    """Return the level a word names.

    Raises:
        ValueError: the word is none of ``public``, ``internal``, ``confidential``, ``restricted``.
    """
    level = _BY_LABEL.get(label.strip().lower())
    if level is None:
        raise ValueError(f"sensitivity {label!r} is not one of {', '.join(_BY_LABEL)}")
    return level
