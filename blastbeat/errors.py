"""The errors that cross module boundaries, each saying whose fault it is and what may be done about it.

Knows nothing else of BlastBeat. Foreign exceptions (h11, zmq, tomli, OSError) are turned into one of these
at the boundary where they appear; anything else that escapes is a bug.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class BlastBeatError(Exception):
    """Base of every error BlastBeat raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration, told so that the reader can mend it without searching.

    `severity` is ``"error"``, ``"warning"`` or ``"note"`` (an option that is not active yet).
    """

    message: str
    severity: str = "error"
    file: str = ""
    line: int = 0
    section: str = ""
    key: str = ""
    value: str = ""
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        place = " ".join(part for part in (f"[{self.section}]" if self.section else "", self.key) if part)
        value = f" = {self.value!r}" if self.value else ""
        hint = f"; {self.hint}" if self.hint else ""
        lead = ": ".join(part for part in (where, self.severity, f"{place}{value}") if part)
        return f"{lead}: {self.message}{hint}"


class ConfigError(BlastBeatError):
    """The configuration is bad, missing or unreadable (exit code 78). `problems` lists everything found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class StartError(BlastBeatError):
    """The server could not start although its configuration is good, e.g. an address in use (exit code 3)."""


class ControlError(BlastBeatError):
    """A command for a running server that did not reach it, or that it refused (exit code 1)."""


class ReloadError(BlastBeatError):
    """The configuration could not be read again, for a reason that lies in the server, e.g. because it stops
    (exit code 1)."""


class PluginError(BlastBeatError):
    """A plugin could not be loaded, or broke its contract. `plugin` is the name it is known by."""

    def __init__(self, plugin: str, message: str) -> None:
        self.plugin = plugin
        super().__init__(f"plugin {plugin!r}: {message}")


class ClientError(BlastBeatError):
    """The client sent something that is refused. `status` is the answer, `reason` what its text body says.

    Of a filter (`Filter.on_data`, `on_message`) also: `headers` of the answer, e.g. Retry-After, and `limit`,
    the name of the limit that was hit, for the figures of the virtualhost (as `Answer.limit`).
    """

    def __init__(
        self, status: int, reason: str, *, headers: Sequence[tuple[bytes, bytes]] = (), limit: str = ""
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.limit = limit
        super().__init__(f"{status} {reason}")


class NodeError(BlastBeatError):
    """A node sent something malformed. `retryable`: another instance may be asked instead."""

    def __init__(self, reason: str, *, retryable: bool = False) -> None:
        self.reason = reason
        self.retryable = retryable
        super().__init__(reason)


class GrammarError(BlastBeatError, ValueError):
    """Bytes that break a grammar or a limit, whoever sent them; who reads them says whose fault it is.

    `status` is what a client that sent them is answered, `reason` says what is wrong with them.
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(reason)
