"""Hosting policies per customer, for ISPs: plans, limits, and the books of who has used what.

Names resolve to their modules; what each part does is told there.
"""

from __future__ import annotations

from blastbeat_policy.plugin import PolicyPlugin

__all__ = ["PolicyPlugin"]
