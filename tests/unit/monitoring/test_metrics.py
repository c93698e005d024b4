"""Metrics as Prometheus reads them: a snapshot of a server, written in both formats and parsed again."""

from __future__ import annotations

import builtins
import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from blastbeat.config.model import Address, Config, ServerConfig
from blastbeat.monitoring import metrics
from blastbeat.monitoring.families import DURATION, FAMILIES, OTHER, PREFIX
from blastbeat.monitoring.metrics import examine_metrics, prepare, take_snapshot
from blastbeat.tally import DURATION_BOUNDS
from tests.helpers.engine import Engine
from tests.helpers.settings import HOST
from tests.helpers.status import STARTED_AT, StatusStage

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def scrape(stage: StatusStage, accept: str = "") -> dict[str, Any]:
    """All samples by name and labels, parsed from what is written."""
    snapshot = take_snapshot(stage.server, stage.engine.clock.now, STARTED_AT + 10)
    text, kind = prepare(accept)(snapshot)
    parse: Callable[[str], Any] = parse_openmetrics if kind.startswith("application/") else parse_text
    found: dict[str, Any] = {}
    for family in parse(text.decode()):
        for sample in family.samples:
            key = sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items()))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


@pytest.fixture
def stage() -> StatusStage:
    stage = StatusStage()
    stage.engine.respond(stage.engine.request(stage.engine.stream()))
    return stage


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_what_was_counted_can_be_read(stage: StatusStage, accept: str) -> None:
    samples = scrape(stage, accept)
    assert samples[f"blastbeat_requests_total code_class=2xx route= virtualhost={HOST}"] == 1
    assert samples["blastbeat_requests_received_total"] == 1
    assert samples["blastbeat_node_up node=app router=main"] == 1
    assert samples["blastbeat_messages_dropped_total reason=type"] == 0
    assert samples["process_resident_memory_bytes"] > 0


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html", "text/plain; version=0.0.4; charset=utf-8"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
def test_the_format_is_the_one_asked_for(stage: StatusStage, accept: str, kind: str) -> None:
    text, told = prepare(accept)(take_snapshot(stage.server, 0.0, STARTED_AT))
    assert told.startswith(kind)
    assert text.endswith(b"# EOF\n") == kind.startswith("application/")


def test_each_family_has_its_type_and_help(stage: StatusStage) -> None:
    text = prepare("")(take_snapshot(stage.server, 0.0, STARTED_AT))[0].decode()
    parsed = {family.name: family for family in parse_text(text)}
    for family in FAMILIES:
        metric = parsed[PREFIX + family.name]
        assert (metric.type, metric.documentation) == (family.kind, family.text)


def test_counters_of_plugins(stage: StatusStage) -> None:
    stage.server.counters.declare({"policy.too-large": "bodies over a plan's size"})
    stage.server.counters.add("policy.too-large", 3)
    text = prepare("")(take_snapshot(stage.server, 0.0, STARTED_AT))[0].decode()
    assert "\nblastbeat_plugin_policy_too_large_total 3.0\n" in text


def test_durations_are_a_histogram(stage: StatusStage) -> None:
    durations = stage.engine.counters.tallies.durations
    durations.add(0.03)
    durations.add(1e6)
    samples = scrape(stage)
    name = PREFIX + DURATION
    bounds = [*map(str, DURATION_BOUNDS), "+Inf"]
    assert [samples[f"{name}_bucket le={bound}"] for bound in bounds] == [1, 1, 1, *[2] * 11, 3]
    assert samples[f"{name}_count"] == 3 and samples[f"{name}_sum"] == pytest.approx(1e6 + 0.03)


def test_names_beyond_the_limit_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_LABELLED", 3)
    stage = StatusStage(Engine())
    for number in range(5):
        virtualhost = stage.engine.add_virtualhost(f"site{number}.test", [f"node{number}"])
        virtualhost.tally.bytes_in, virtualhost.count.open = 10, 2
        virtualhost.tally.hit("sessions")
    samples = scrape(stage)
    sums = {
        key: value for key, value in samples.items() if key.startswith("blastbeat_request_body_bytes_total")
    }
    assert {key.rpartition("=")[2] for key in sums} == {HOST, "site0.test", "site1.test", OTHER, ""}
    assert sums[f"blastbeat_request_body_bytes_total route= virtualhost={OTHER}"] == 30
    assert samples[f"blastbeat_limits_hit_total limit=sessions route= virtualhost={OTHER}"] == 3
    assert samples[f"blastbeat_sessions virtualhost={OTHER}"] == 6
    assert samples["blastbeat_virtualhosts_configured"] == 6
    assert sum(key.startswith("blastbeat_node_up ") for key in samples) == 3


def test_no_sum_where_nothing_is_left_over(stage: StatusStage) -> None:
    assert not any(OTHER in key for key in scrape(stage))


def test_names_that_need_escaping(stage: StatusStage) -> None:
    stage.engine.counters.tallies.unmatched.hit('a "b" \\ c')
    assert scrape(stage)['blastbeat_limits_hit_total limit=a "b" \\ c route= virtualhost='] == 1


def test_without_the_package_nothing_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.startswith("prometheus_client"):
            raise ModuleNotFoundError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError):
        prepare("")


def test_check_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with_address = Config(ServerConfig(stats_bind=Address("127.0.0.1", 9180)))
    assert examine_metrics(with_address) == []
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    [problem] = examine_metrics(with_address)
    assert (problem.severity, problem.key) == ("warning", "stats-bind") and "pip install" in problem.message
    assert examine_metrics(Config()) == []
