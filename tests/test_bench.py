"""The parts of the bench that need no server, and the page that is made of its figures."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import charts, flame_graph, report
from bench.cli import STUDIES, read_options, with_peers
from bench.contenders import ABOUT, CONTENDERS
from bench.measure import MEANINGS, Bar, Figures, Outcome, Run, Workload
from bench.processes import Pins
from bench.servers import Server
from bench.studies.flame import shares
from bench.usage import cpu_seconds, kernel_seconds, resident_bytes, tree, zmq_seconds
from bench.workloads import WORKLOADS
from tests.helpers.source_tree import ROOT

EXPLANATION = ROOT / "docs" / "explanation"


def nothing(server: Server, run: Run) -> Figures:
    raise AssertionError("not visited here")


def outcome_of(ours: list[float], theirs: list[float], *bars: Bar) -> Outcome:
    workload = Workload("Of a test", ("blastbeat", "nginx"), nothing, bars)
    taken = {"blastbeat": [{"cpu": each} for each in ours], "nginx": [{"cpu": each} for each in theirs]}
    return Outcome(workload, taken)


BESIDE = Bar("blastbeat", 2.0, 1.5, "nginx")


@pytest.mark.parametrize(
    ("ours", "ratio", "reached"),
    [(30.0, 1.5, "aim met"), (40.0, 2.0, "bar met"), (41.0, 2.05, report.MISSED)],
)
def test_a_bar_is_judged_by_the_ratio_of_the_medians(ours: float, ratio: float, reached: str) -> None:
    outcome = outcome_of([ours, 1.0, 500.0], [20.0, 20.0, 20.0], BESIDE)
    assert outcome.ratio(BESIDE) == pytest.approx(ratio)
    assert report.judged(outcome, BESIDE).endswith(reached)


def test_a_bar_may_be_about_one_server_alone() -> None:
    bar = Bar("blastbeat", 6.0, 4.0)
    assert outcome_of([5.0], [1.0], bar).ratio(bar) == 5.0


def test_a_bar_without_its_peer_is_not_judged() -> None:
    bar = Bar("blastbeat", 1.0, 1.0, "uvicorn-h11")
    outcome = outcome_of([1.0], [1.0], bar)
    assert outcome.ratio(bar) is None
    assert report.judged(outcome, bar) == "" and report.as_json(outcome, {})["bars"] == []


def test_the_range_is_that_of_all_turns() -> None:
    assert outcome_of([3.0, 1.0, 2.0], [1.0]).span("blastbeat", "cpu") == (1.0, 3.0)


def test_results_of_other_workloads_stay_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    report.write(path, {"turns": 1}, {"get": {"old": 1}, "post": {"old": 1}})
    path.write_text(json.dumps(json.loads(path.read_text()) | {"profile": {"messages": 0.5}}))
    report.write(path, {"turns": 5}, {"get": {"new": 1}})
    assert json.loads(path.read_text()) == {
        "run": {"turns": 5},
        "workloads": {"get": {"new": 1}, "post": {"old": 1}},
        "profile": {"messages": 0.5},
    }


def test_what_a_process_and_its_child_used_is_counted() -> None:
    """The child burns until it has used a tenth of a second itself, and then stays for the look at it."""
    burn = "import time\nwhile time.process_time() < 0.1: pass\nprint('done', flush=True)\ninput()"
    command = [
        sys.executable,
        "-c",
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None and parent.stdin is not None
        assert parent.stdout.readline() == "done\n"
        assert len(tree(parent.pid)) == 2
        assert cpu_seconds(parent.pid) >= 0.1
        assert 0.0 <= kernel_seconds(parent.pid) <= cpu_seconds(parent.pid)
        assert resident_bytes(parent.pid) > 1_000_000
        assert zmq_seconds(parent.pid) == 0.0
        parent.stdin.write("\n")


def test_the_clock_of_a_process_is_its_own() -> None:
    before = time.process_time()
    assert before <= cpu_seconds(os.getpid())


def test_a_flame_graph_has_what_was_sampled() -> None:
    root = flame_graph.read_folded("main;receive <&> 3\nmain;send 1\nnot a stack\n")
    assert root.samples == 4 and root.inner["main"].inner["send"].samples == 1
    drawn = ElementTree.fromstring(flame_graph.draw(root, "A test"))
    titles = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["A test", "all: 100.0%", "main: 100.0%", "receive <&>: 75.0%", "send: 25.0%"]


def test_a_flame_graph_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        flame_graph.draw(flame_graph.read_folded(""), "A test")


def test_the_innermost_module_of_ours_has_the_samples() -> None:
    lines = (
        "a (x.py:1);f (blastbeat/gates/http1.py:3);g (re.py:9) 6\nf (blastbeat/stream.py:1) 3\nb (x.py:1) 1\n"
    )
    assert shares(lines) == {"gates.http1": 0.6, "stream": 0.3, "none of ours": 0.1, "others": 0.0}


def test_charts_are_well_formed() -> None:
    columns = [charts.Column("a & b", 2.0, "2 µs", mark=3.0), charts.Column("none", 0.0, "0 µs", False)]
    for scale_each in (False, True):
        drawn = ElementTree.fromstring(charts.bars("<Title>", [("One", columns)], scale_each))
        assert "a & b" in [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]


def test_every_contender_is_told_of() -> None:
    assert set(ABOUT) == set(CONTENDERS)
    for workload in WORKLOADS.values():
        assert set(workload.contenders) <= set(CONTENDERS)
        for bar in workload.bars:
            assert {bar.of, bar.to or bar.of} <= set(workload.contenders) and bar.figure in MEANINGS


def test_no_name_means_two_things() -> None:
    assert not set(STUDIES) & set(WORKLOADS)


def test_other_peers_take_the_place_of_the_usual_ones() -> None:
    assert with_peers(WORKLOADS["get"], ["uvicorn-h11"]).contenders == ("blastbeat", "uvicorn-h11")
    assert with_peers(WORKLOADS["get"], None).contenders == ("blastbeat", "nginx")


def test_an_unknown_workload_is_told_with_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_options(["gett"])
    assert "'gett'; known: all, get, " in capsys.readouterr().err


def test_a_single_cpu_is_not_pinned() -> None:
    assert str(Pins()) == "not pinned"


def test_the_page_of_figures_is_the_one_that_is_made() -> None:
    made = runpy.run_path(str(EXPLANATION / "make_performance.py"))
    page = (EXPLANATION / "performance.md").read_text(encoding="utf-8")
    results = json.loads((EXPLANATION / "performance.json").read_text(encoding="utf-8"))
    assert made["page"](page, results) == page
    for name, draw in made["CHARTS"].items():
        assert (ROOT / "docs" / "images" / name).read_text(encoding="utf-8") == draw(results)


def test_every_workload_is_on_the_page_of_figures() -> None:
    results = json.loads((EXPLANATION / "performance.json").read_text(encoding="utf-8"))
    assert set(results["workloads"]) == {name for name, one in WORKLOADS.items() if not one.is_extra}
