"""Tests of `blastbeat.testing.loading`."""

from __future__ import annotations

import pytest

from blastbeat.plugins import limits
from blastbeat.plugins.answer import AnswerPlugin
from blastbeat.testing.loading import load_plugin, name_of


def test_whatever_names_a_plugin_becomes_one() -> None:
    assert load_plugin(limits) is limits
    assert load_plugin("blastbeat.plugins.limits") is limits
    assert isinstance(load_plugin(AnswerPlugin), AnswerPlugin)
    assert isinstance(load_plugin("blastbeat.plugins.answer:AnswerPlugin"), AnswerPlugin)
    with pytest.raises(ModuleNotFoundError):
        load_plugin("no_such_module")


def test_names() -> None:
    assert name_of(limits) == "blastbeat.plugins.limits"
    assert name_of(AnswerPlugin()) == "AnswerPlugin"
