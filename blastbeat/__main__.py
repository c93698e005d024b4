"""`python -m blastbeat`: the same as the `blastbeat` command. Knows nothing else."""

from __future__ import annotations

import sys

from blastbeat.cli import main

if __name__ == "__main__":
    sys.exit(main())
