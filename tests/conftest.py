"""What all tests share: fixtures, a root logger left as it was, how many examples hypothesis tries."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

pytest_plugins = ["tests.helpers.fixtures"]

# `make fuzz` raises the number of examples; by default the property tests are the same on every run.
settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile(
    "fuzz",
    deadline=None,
    max_examples=int(os.environ.get("BLASTBEAT_FUZZ_EXAMPLES", "5000")),
    print_blob=True,
)
settings.load_profile("fuzz" if "BLASTBEAT_FUZZ_EXAMPLES" in os.environ else "default")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Commands set up logging for their process; a test that calls one gives it back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
