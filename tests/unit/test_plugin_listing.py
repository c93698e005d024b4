"""Tests of `blastbeat.plugin_listing`."""

from __future__ import annotations

from blastbeat.plugin_listing import PluginInfo, format_plugins, plugins_as_data


def test_everything_known_of_a_plugin_is_shown() -> None:
    active = PluginInfo(
        "round-robin",
        "1.0",
        "built in",
        "active",
        hooks=("node_up", "register_selectors"),
        registered=(("selector", "round-robin"), ("selector", "other")),
        replaced=(("selector", "other", "sample"),),
        options=((), ("key", "most")),
        api="1.0",
        declares=(("[plan.NAME]", ("rate", "token")), ("[bare.NAME]", ()), ("[vhost.HOST]", ("plan",))),
        commands=(("policy", "what was used"), ("bill", "")),
    )
    failed = PluginInfo("rules", "", "/etc/rules.py", "failed", "plugin 'rules': no")
    assert format_plugins([active, failed]).splitlines() == [
        "round-robin: active (built in 1.0, for API 1.0)",
        "    hooks      node_up, register_selectors",
        "    registers  selector round-robin",
        "               selector other (replaced by sample; options: key, most)",
        "    declares   [plan.NAME] rate, token",
        "               [bare.NAME]",
        "               [vhost.HOST] plan",
        "    commands   policy: what was used",
        "               bill",
        "rules: failed (/etc/rules.py)",
        "    reason     plugin 'rules': no",
    ]


def test_what_is_declared_for_programs() -> None:
    plugin = PluginInfo("x", "", "", "active", declares=(("[plan.NAME]", ("rate",)),))
    assert plugins_as_data([plugin])[0]["declares"] == [{"section": "[plan.NAME]", "keys": ["rate"]}]


def test_commands_for_programs() -> None:
    plugin = PluginInfo("x", "", "", "active", commands=(("policy", "what was used"),))
    assert plugins_as_data([plugin])[0]["commands"] == [{"name": "policy", "summary": "what was used"}]


def test_no_plugins_no_text() -> None:
    assert format_plugins([]) == ""
