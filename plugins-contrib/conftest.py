"""The tests of all distributions here, run from the repository: none is installed, so their sources are put
on the path. What an installed one does, tests/integration/test_contrib_distributions.py shows.

Each distribution's own `pyproject.toml` has what pytest needs when it is run in that folder alone.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import settings

for pyproject in sorted(Path(__file__).parent.glob("*/pyproject.toml")):
    # `tests` too: helpers that several test files of a distribution share are modules beside them.
    for part in ("src", "tests"):
        sys.path.append(str(pyproject.parent / part))

# As in tests/conftest.py: the same on every run, and more of them with `make fuzz`.
settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile(
    "fuzz",
    deadline=None,
    max_examples=int(os.environ.get("BLASTBEAT_FUZZ_EXAMPLES", "5000")),
    print_blob=True,
)
settings.load_profile("fuzz" if "BLASTBEAT_FUZZ_EXAMPLES" in os.environ else "default")
