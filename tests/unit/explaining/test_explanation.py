"""Explanations as programs see them."""

from __future__ import annotations

import json

from blastbeat.explaining.explanation import Explanation, Listener, Pick, Place, RouteChoice


def test_all_of_it_is_json() -> None:
    found = Explanation("u", "GET", "/", "", listener=Listener("a:1", "why"))
    found.routes.append(RouteChoice("/api", "/api", "yes", "so", Place("a.toml", 3)))
    found.filters.append(Pick("answer", {"status": "200"}, "answers 200"))
    read = json.loads(json.dumps(found.as_json()))
    assert read["listener"] == {"address": "a:1", "why": "why"} and read["virtualhost"] is None
    assert read["routes"][0]["place"] == {"file": "a.toml", "line": 3}
    assert read["filters"] == [{"name": "answer", "options": {"status": "200"}, "says": "answers 200"}]
