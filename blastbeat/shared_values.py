"""One object for equal values that many keep for long: a bounded table of them.

Values only; knows nothing of whose they are.
"""

from __future__ import annotations

from typing import Any, TypeVar

from blastbeat.events import Headers

T = TypeVar("T")

MAX_VALUES = 1024
MAX_BYTES = 512
"""Of one value: what is longer is hardly anybody else's, too."""


class SharedValues:
    """Forgets all once it is full: whoever shared goes on sharing, and the next ones begin anew."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[Any, Any] = {}

    def of(self, value: bytes) -> bytes:
        """`value`, or an equal one that somebody else has already."""
        found: bytes | None = self._values.get(value)
        return found if found is not None else self._share(value, value, len(value))

    def of_fields(self, fields: Headers) -> Headers:
        """The same for header fields. Nobody may change the list that is returned."""
        key = tuple(fields)
        found: Headers | None = self._values.get(key)
        if found is not None:
            return found
        return self._share(key, fields, sum(len(name) + len(value) for name, value in fields))

    def _share(self, key: object, value: T, size: int) -> T:
        if size <= MAX_BYTES:
            if len(self._values) >= MAX_VALUES:
                self._values.clear()
            self._values[key] = value
        return value
