"""A property computed at its first use and kept, without a lock."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801  # it reads like `property`
    """What ``functools.cached_property`` is from Python 3.12 on; before, that takes a lock worth a microsecond a use.

    The first use stores the value under the property's name, so later uses do not come here at all. Two threads that
    meet at the first use both compute it.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:  # Any: the owner's type, which only its class knows
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> T | Self:
        if instance is None:
            return self
        value = self._compute(instance)
        instance.__dict__[self._name] = value
        return value
