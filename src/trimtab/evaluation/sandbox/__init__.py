"""A sandbox for Python that a model wrote: a process of its own, limits, no network, no files but its folder.

``check_code`` runs code and tests of it. ``jail.py`` and ``checking.py`` are what it starts: programs for the standard
library alone, which nobody imports. The reference of the scorer ``python_tests`` says what all this does not stop.
"""

from trimtab.evaluation.sandbox.isolating import Report, check_code
from trimtab.evaluation.sandbox.limits import Limits

__all__ = ["Limits", "Report", "check_code"]
