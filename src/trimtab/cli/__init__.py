"""The ``trimtab`` command: one file a noun."""

from trimtab.cli.frame import main

__all__ = ["main"]
