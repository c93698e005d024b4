"""What plugins have of a configuration: asks each whether it is good, and hands each the tables of its kinds.

Knows no file and no server; the plugin manager says who is to be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from blastbeat.config.declared import NOTHING, Declared
from blastbeat.config.model import Config
from blastbeat.config_views import view_of
from blastbeat.errors import ConfigError, PluginError, Problem
from blastbeat.interfaces import ConfigView, Tables

Examine = Callable[[ConfigView], "Iterable[Problem] | None"]


@dataclass(frozen=True, slots=True)
class Receiver:
    """`receive` of `plugin` gets all tables of `kind`."""

    plugin: str
    kind: str
    receive: Callable[[Tables], None]


@dataclass(frozen=True, slots=True)
class PluginConfig:
    """`examiners` are the plugins that look at a configuration as a whole, by name."""

    declared: Declared = NOTHING
    receivers: Sequence[Receiver] = ()
    examiners: Sequence[tuple[str, Examine]] = ()

    def examine(self, config: Config, *, is_complete: bool = True) -> list[Problem]:
        """What they find. Never raises: a plugin that does is a problem, too, unless what it saw lacks values
        that could not be used."""
        if not self.examiners:
            return []
        view = view_of(config, self.declared)
        found: list[Problem] = []
        for name, examine in self.examiners:
            try:
                found += _ask(examine, view)
            except (Exception, SystemExit) as error:
                why = f"failed to examine the configuration: {type(error).__name__}: {error}"
                if is_complete:
                    found.append(Problem(str(PluginError(name, why)), file=config.file))
        return found

    def hand_tables(self, config: Config, before: Config | None = None) -> None:
        """Gives each plugin its tables. Raises PluginError for one that does not take them; those asked
        before it get the tables of `before` again."""
        for index, receiver in enumerate(self.receivers):
            try:
                _hand(receiver, config)
            except (Exception, SystemExit) as error:
                if before is not None:
                    self._take_back(self.receivers[: index + 1], before)
                why = f"failed to take the tables [{receiver.kind}.NAME]: {type(error).__name__}: {error}"
                raise PluginError(receiver.plugin, why) from error

    @staticmethod
    def _take_back(receivers: Sequence[Receiver], before: Config) -> None:
        for receiver in receivers:
            try:
                _hand(receiver, before)
            except (Exception, SystemExit):  # it took them once, and what is wrong with it is told already
                continue


NO_PLUGINS = PluginConfig()


def refuse(problems: Sequence[Problem]) -> Sequence[Problem]:
    """Raises ConfigError with all errors; returns the problems where there is none."""
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise ConfigError(errors)
    return problems


def _hand(receiver: Receiver, config: Config) -> None:
    receiver.receive({table.name: table.values for table in config.tables if table.kind == receiver.kind})


def _ask(examine: Examine, view: ConfigView) -> list[Problem]:
    found = list(examine(view) or ())
    for each in found:
        if not isinstance(each, Problem):
            raise TypeError(f"it found a {type(each).__name__}, not blastbeat.errors.Problem")
    return found
