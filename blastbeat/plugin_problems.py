"""What is wrong with plugins while they load: raised at once, or gathered.

Knows no plugin and no pluggy.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from blastbeat.errors import ConfigError, PluginError, Problem


@dataclass(slots=True)
class PluginProblems:
    """Raises at once when strict, else collects."""

    strict: bool
    found: list[Problem] = field(default_factory=list)
    first: PluginError | ConfigError | None = None

    def add(self, error: PluginError | ConfigError, file: str = "") -> None:
        if self.strict:
            raise error
        self.first = self.first or error
        if isinstance(error, ConfigError):
            self.found.extend(error.problems)
        else:
            key = "files" if file else ""
            self.found.append(Problem(str(error), section="plugins", key=key, value=file))

    def warn(self, plugin: str, message: str) -> None:
        text = f"plugin {plugin!r}: {message}"
        self.found.append(Problem(text, "warning", section="plugins"))
