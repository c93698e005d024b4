"""Plain values: times, sizes, rates, counts, choices and texts, from what was written to the model's.

A kind knows nothing of sections, files or option names. What it refuses, it refuses with BadValue.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blastbeat.config.model import GIB, KIB, MIB, ErrorPage


class BadValue(ValueError):
    """A value that does not fit its kind. The text says what would be right; `hint` a likely correction."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(message)


class Kind:
    """How the values of an option are written. `label` names it in the reference."""

    label: str

    def parse(self, value: object) -> Any:
        """The model's value for one written value; raises BadValue."""
        raise NotImplementedError

    def parse_all(self, value: object) -> Sequence[Any]:
        """All the values that one written value of a repeated option stands for."""
        return (self.parse(value),)

    def format(self, value: Any) -> str:
        """The model's value as somebody would write it."""
        return str(value)

    def locate(self, value: Any, folder: str) -> Any:
        """The value as it is meant in a file in `folder`: a relative file name starts there."""
        return value


MAX_SOCKET_PATH = 107
"""Bytes: Linux's `sun_path` holds 108, with the closing NUL."""

# 18 digits hold every bound there is, and keep int() away from its limit on long texts.
_NUMBER = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([A-Za-z/]*)", re.ASCII)


@dataclass(frozen=True)
class Quantity(Kind):
    """A number with a unit. `units` maps each unit to its factor, `plain` is the factor of a plain number."""

    label: str
    units: Mapping[str, float]
    plain: float
    whole: bool
    examples: str

    def parse(self, value: object) -> float | int:
        if isinstance(value, str):
            result = self._parse_text(value.strip())
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            if not abs(value) <= 1e18:  # so written, NaN is caught too
                raise BadValue(f"is not a usable number; {self._wanted()}")
            result = value * self.plain
        else:
            raise BadValue(f"is not {self._article()}; {self._wanted()}")
        return round(result) if self.whole else float(result)

    def _parse_text(self, text: str) -> float:
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise BadValue(f"is not {self._article()}; {self._wanted()}")
        number, unit = match.groups()
        factor = self._factor(unit)
        return (float(number) if "." in number else int(number)) * factor

    def _factor(self, unit: str) -> float:
        if not unit:
            return self.plain
        if unit in self.units:
            return self.units[unit]
        same = [known for known in self.units if known.lower() == unit.lower()]
        if len(same) == 1:
            return self.units[same[0]]
        near = [known for known in self.units if unit and known.lower().startswith(unit.lower())]
        hint = f"did you mean {near[0]!r}?" if near else ""
        raise BadValue(f"has an unknown unit {unit!r}; units are {', '.join(self.units)}", hint)

    def _article(self) -> str:
        return f"a {self.label}"

    def _wanted(self) -> str:
        return f"write for example {self.examples}"

    def format(self, value: Any) -> str:
        if value == 0:
            return "0"
        best = None
        for unit, factor in self.units.items():
            amount = value / factor
            if amount >= 1 and amount == int(amount) and (best is None or amount < best[0]):
                best = (amount, unit)
        return f"{int(best[0])}{best[1]}" if best else f"{value / self.plain:g}"


TIME = Quantity(
    "time",
    {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400},
    plain=1,
    whole=False,
    examples="5 (seconds), 500ms, 5s, 2m or 1h",
)
_SIZES: Mapping[str, float] = {
    "KiB": KIB,
    "MiB": MIB,
    "GiB": GIB,
    "TiB": 1024 * GIB,
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
}
SIZE = Quantity("size", _SIZES, plain=1, whole=True, examples="65536 (bytes), 64KiB, 8MiB or 1GiB")
SIZE_IN_MIB = Quantity("size", _SIZES, plain=MIB, whole=True, examples="64 (MiB), 512KiB or 64MiB")
RATE = Quantity(
    "rate",
    {
        "kbit/s": 125,
        "Mbit/s": 125_000,
        "Gbit/s": 125_000_000,
        "KiB/s": KIB,
        "MiB/s": MIB,
        "B/s": 1,
        "kB/s": 1000,
        "MB/s": 1000**2,
    },
    plain=125,
    whole=True,
    examples="1000 (kbit/s), 512kbit/s, 1Mbit/s or 1MiB/s",
)


class Count(Kind):
    """A whole number."""

    label = "count"

    def parse(self, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip(), re.ASCII):
            return int(value)
        raise BadValue("is not a whole number")


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few words."""

    choices: tuple[str, ...]

    @property
    def label(self) -> str:  # type: ignore[override]
        return " or ".join(f"`{choice}`" for choice in self.choices)

    def parse(self, value: object) -> str:
        if isinstance(value, str) and value.strip().lower() in self.choices:
            return value.strip().lower()
        written = value if isinstance(value, str) else ""
        raise BadValue(f"must be one of {', '.join(self.choices)}", did_you_mean(written, self.choices))


class Text(Kind):
    """Any text on one line."""

    label = "text"

    def parse(self, value: object) -> str:
        if not isinstance(value, str):
            raise BadValue("is not a text; write it in quotes")
        if not value.isprintable():
            raise BadValue("contains characters that cannot be printed")
        return value.strip()


class Path(Text):
    """A file name; a relative one starts at the folder of the file that names it."""

    label = "file name"

    def locate(self, value: Any, folder: str) -> Any:
        return os.path.join(folder, value) if value else value


class SocketPath(Path):
    """The path of a unix socket that the server makes."""

    label = "path"

    def parse(self, value: object) -> str:
        text = super().parse(value)
        if len(text.encode(errors="replace")) > MAX_SOCKET_PATH:
            raise BadValue(f"is longer than {MAX_SOCKET_PATH} bytes, more than a socket's path can have")
        return text


@dataclass(frozen=True)
class LogTarget(Path):
    """A log file, or one of a few words that mean something else."""

    words: tuple[str, ...]

    @property
    def label(self) -> str:  # type: ignore[override]
        return f"{', '.join(f'`{word}`' for word in self.words)} or file name"

    def parse(self, value: object) -> str:
        text = super().parse(value)
        if not text:
            raise BadValue(f"is empty; write {', '.join(self.words)} or a file name")
        return text

    def locate(self, value: Any, folder: str) -> Any:
        return value if value in self.words else super().locate(value, folder)


class Flag(Kind):
    """Yes or no."""

    label = "`yes` or `no`"

    def parse(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        word = value.strip().lower() if isinstance(value, str) else ""
        if word in ("yes", "true", "on", "1"):
            return True
        if word in ("no", "false", "off", "0"):
            return False
        raise BadValue("is neither yes nor no")

    def format(self, value: Any) -> str:
        return "yes" if value else "no"


class Percentage(Kind):
    """A share of the whole, written with a percent sign; in the model 0 to 1."""

    label = "percentage"

    def parse(self, value: object) -> float:
        text = value.strip() if isinstance(value, str) else ""
        if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?\s*%", text, re.ASCII):
            raise BadValue("is not a percentage; write for example 10%")
        share = float(text[:-1]) / 100
        if not 0 <= share <= 1:
            raise BadValue("is not a share; at most 100%")
        return share

    def format(self, value: Any) -> str:
        return f"{value * 100:.6f}".rstrip("0").rstrip(".") + "%"


class ErrorPageKind(Kind):
    """A status and the file that is its page: `503 busy.html`."""

    label = "status and file name"

    def parse(self, value: object) -> ErrorPage:
        words = value.split(None, 1) if isinstance(value, str) and value.isprintable() else []
        if len(words) != 2 or not re.fullmatch(r"[45][0-9][0-9]", words[0], re.ASCII):
            raise BadValue("is not a status and a file; write for example 503 /srv/pages/busy.html")
        return ErrorPage(int(words[0]), words[1].strip())

    def format(self, value: Any) -> str:
        return f"{value.status} {value.file}"

    def locate(self, value: Any, folder: str) -> Any:
        return ErrorPage(value.status, os.path.join(folder, value.file))


class Account(Text):
    """A user or group, by name or number."""

    label = "name or number"

    def parse(self, value: object) -> str:
        return super().parse(str(value) if type(value) is int else value)


@dataclass(frozen=True)
class Words(Kind):
    """Words between spaces or commas, each of which must match `pattern`."""

    label: str
    pattern: str
    wanted: str

    def parse(self, value: object) -> str:
        if not isinstance(value, str):
            raise BadValue(f"is not a text; {self.wanted}")
        if not re.fullmatch(self.pattern, value, re.ASCII):
            raise BadValue(f"has {value!r} in it; {self.wanted}")
        return value

    def parse_all(self, value: object) -> Sequence[str]:
        return tuple(self.parse(word) for word in split_words(value, self.wanted))


def split_words(value: object, wanted: str) -> list[str]:
    """The words of a text, between spaces or commas; raises BadValue when it is no text."""
    if not isinstance(value, str):
        raise BadValue(f"is not a text; {wanted}")
    return value.replace(",", " ").split()


def did_you_mean(written: str, known: Sequence[str] | Mapping[str, object]) -> str:
    """A hint that names the known word nearest to the written one, or nothing."""
    # difflib takes quadratic time; nobody mistypes a word into 100 characters.
    if not written or len(written) > 100:
        return ""
    folded = {word.lower(): word for word in known}
    near = difflib.get_close_matches(written.lower().replace("_", "-"), folded, n=1, cutoff=0.6)
    return f"did you mean {folded[near[0]]!r}?" if near else ""
