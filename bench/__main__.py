"""`python -m bench`, from the top of the tree."""

from __future__ import annotations

from bench.cli import main

raise SystemExit(main())
