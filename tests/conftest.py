"""How the property tests look for examples."""

from __future__ import annotations

import os

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
