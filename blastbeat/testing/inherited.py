"""Property tests that many classes inherit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, Phase, settings

T = TypeVar("T", bound=Callable[..., None])

SHARE = 5
"""A contract has many of these tests, so each tries this part of the examples that the profile wants."""


def inherited(test: T) -> T:
    """For a `@given` method of a contract: hypothesis warns of one that runs for several classes, since their
    examples share a name; here each class is to have them all. No deadline: a plugin's first call may import.
    No explaining of what fails either, which takes minutes with examples as large as these.
    """
    profile = settings.default or settings()
    relaxed: T = settings(
        max_examples=max(1, profile.max_examples // SHARE),
        deadline=None,
        phases=[phase for phase in profile.phases if phase is not Phase.explain],
        suppress_health_check=[
            HealthCheck.differing_executors,
            HealthCheck.too_slow,
            HealthCheck.function_scoped_fixture,  # an autouse fixture of the subclass
        ],
    )(test)
    return relaxed
