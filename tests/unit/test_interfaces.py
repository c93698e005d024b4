"""The only behaviour among the interfaces: a filter that overrides nothing does nothing."""

from __future__ import annotations

from blastbeat import interfaces
from blastbeat.events import ResponseHead
from blastbeat.interfaces import Filter
from blastbeat.testing import make_request_view


def test_a_filter_changes_nothing_unless_it_says_so() -> None:
    view, head = make_request_view(), ResponseHead(1, 200, b"OK", [])
    each = Filter()
    assert each.on_response(view, head) is head and head == ResponseHead(1, 200, b"OK", [])
    assert each.on_data(view, "in", 5) == 0.0 and each.on_output(view) is None
    methods = {name for name in vars(Filter) if name.startswith("on_")}
    for name in methods - {"on_response", "on_output", "on_data", "on_request", "on_closed"}:
        assert getattr(each, name)(view, "out", 5) is None
    assert all(getattr(each, name)(view) is None for name in ("on_request", "on_closed"))


def test_everything_it_offers_is_there() -> None:
    assert all(hasattr(interfaces, name) for name in interfaces.__all__)
    assert list(interfaces.__all__) == sorted(interfaces.__all__)
