"""Packages that some scorers need: loaded when such a scorer is built, and named when they are missing."""

import importlib
from types import ModuleType

from trimtab.core.errors import ConfigurationError


def load(module: str, *, scorer: str) -> ModuleType:
    """Return a module of the extra ``eval``.

    Args:
        module: Such as ``rapidfuzz.distance``.
        scorer: Who needs it.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        raise ConfigurationError(
            f"Scorer {scorer!r} needs the package {module.split('.')[0]!r}, which is not installed.",
            hint="pip install 'trimtab[eval]'",
        ) from exc
