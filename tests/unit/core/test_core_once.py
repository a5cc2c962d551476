"""A property that is computed at its first use."""

from typing import ClassVar

import pytest

from trimtab.core.once import once


class Counted:
    n_computed: ClassVar[int] = 0

    @once
    def value(self) -> object:
        """What it is."""
        type(self).n_computed += 1
        return object()

    @once
    def broken(self) -> int:
        raise ValueError("no")


def test_a_value_is_computed_once_an_object_and_kept() -> None:
    Counted.n_computed = 0
    first, second = Counted(), Counted()

    assert first.value is first.value
    assert first.value is not second.value
    assert Counted.n_computed == 2


def test_a_failure_is_not_kept_and_comes_again() -> None:
    counted = Counted()
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            _ = counted.broken


def test_the_class_shows_the_property_and_its_words() -> None:
    assert isinstance(Counted.value, once)
    assert Counted.value.__doc__ == "What it is."
