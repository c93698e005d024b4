"""Measurements of the server beside its peers: `python -m bench`. Not part of the distribution."""
