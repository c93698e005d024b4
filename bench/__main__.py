"""`python -m bench` is `python bench/plain_get.py`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from plain_get import main

raise SystemExit(main())
