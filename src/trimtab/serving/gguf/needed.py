"""What this package needs beyond the base installation, imported only where it is used."""

import importlib.util

from trimtab.core.errors import ConfigurationError


def require(*packages: str) -> None:
    """Return when every package can be imported.

    Raises:
        ConfigurationError: one is not installed; the hint says how to add it.
    """
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise ConfigurationError(
            f"Working on model files needs {', '.join(missing)}, which is not installed.",
            hint="pip install 'trimtab[serving]'",
        )
