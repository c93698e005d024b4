"""Measurements of one thing each, without a peer: `python -m bench STUDY`, which `--help` explains."""
