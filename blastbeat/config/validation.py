"""Runs the validators that plugins hand over, and says everything that is wrong with a table of options.

Knows no place in a file; whoever has the table adds it. Nothing a validator raises gets out of here.
"""

from __future__ import annotations

from collections.abc import Mapping

from blastbeat.config.values import did_you_mean
from blastbeat.errors import Problem
from blastbeat.interfaces import Options, Validator

SECRET = "(secret)"
"""What is shown in the place of a value whose validator says that nobody may see it."""


def is_secret(validator: Validator | None) -> bool:
    """Whether the values are to be kept out of messages and listings (`validators.secret`)."""
    return bool(getattr(validator, "is_secret", False))


def validate_options(
    values: Options, validators: Mapping[str, Validator], folder: str = ""
) -> tuple[Options, list[Problem]]:
    """The validated values, and everything wrong with them; problems carry key and value, not yet the
    place. `folder` is where relative file names start, for validators that ask."""
    validated: dict[str, object] = {}
    problems: list[Problem] = []
    for key, value in values.items():
        if key not in validators:
            known = ", ".join(sorted(validators))
            message = f"unknown option; {f'known options: {known}' if known else 'it takes no options'}"
            hint = did_you_mean(key, validators)
            problems.append(Problem(message, key=key, value=str(value), hint=hint))
            continue
        found = validate(key, value, validators[key], folder)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            validated[key] = found[0]
    return validated, problems


def validate(key: str, value: object, validator: Validator, folder: str = "") -> Problem | tuple[object]:
    """The validated value in a tuple of its own, or what is wrong with it."""
    try:
        in_folder = getattr(validator, "in_folder", None)
        return ((in_folder(folder) if in_folder else validator)(value),)
    except (Exception, SystemExit) as error:  # whatever a plugin's function raises
        message, hint = _text_of(error), _text_of(getattr(error, "hint", ""))
        shown = SECRET if is_secret(validator) else str(value)
        return Problem(message or type(error).__name__, key=key, value=shown, hint=hint)


def _text_of(thing: object) -> str:
    try:
        return str(thing)
    except Exception:  # an error of a plugin that can't be printed either
        return ""
