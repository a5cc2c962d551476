"""Trimtab: route first, shrink next, tune last, with measured evidence at every step."""

__version__ = "0.1.0"
