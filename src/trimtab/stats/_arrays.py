"""Vectors from whatever numpy reads as one, checked once at the door."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]


def as_vector(values: ArrayLike, name: str, *, at_least: int = 1) -> Vector:
    """Return ``values`` as finite floats of shape ``(n,)``.

    Raises:
        ValueError: They are not one-dimensional, fewer than ``at_least``, or one is infinite or not a number.
    """
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1:
        raise ValueError(f"{name} has shape {vector.shape}, not one dimension")
    if len(vector) < at_least:
        raise ValueError(f"{name} has {len(vector)} values and needs {at_least}")
    if not np.isfinite(vector).all():
        position = int(np.flatnonzero(~np.isfinite(vector))[0])
        raise ValueError(f"{name}[{position}] is {vector[position]}, which is not a finite number")
    return vector


def as_unit_vector(values: ArrayLike, name: str, *, at_least: int = 1) -> Vector:
    """Return ``values`` as floats in ``[0, 1]`` of shape ``(n,)``.

    Raises:
        ValueError: As ``as_vector``, or a value lies outside the range.
    """
    vector = as_vector(values, name, at_least=at_least)
    outside = np.flatnonzero((vector < 0) | (vector > 1))
    if len(outside):
        raise ValueError(f"{name}[{outside[0]}] is {vector[outside[0]]}, which is outside 0 to 1")
    return vector


def require_same_length(**vectors: Vector | Sequence[object]) -> None:
    """Raise ``ValueError`` when the named vectors differ in length."""
    lengths = {name: len(vector) for name, vector in vectors.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError("not paired: " + ", ".join(f"{name} has {n} values" for name, n in lengths.items()))
