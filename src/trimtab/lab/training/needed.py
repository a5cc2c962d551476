"""What training needs beyond the base installation."""

import importlib.util

from trimtab.core.errors import ConfigurationError

PACKAGES = ("torch", "transformers", "tokenizers", "safetensors")


def require_training() -> None:
    """Return when every package can be imported.

    Raises:
        ConfigurationError: one is not installed; the hint says how to add it.
    """
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise ConfigurationError(
            f"Training needs {', '.join(missing)}, which is not installed.", hint="pip install 'trimtab[lab]'"
        )
