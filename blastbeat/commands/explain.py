"""`blastbeat explain URL`: which listener, virtualhost, route, filters and nodes would serve it, and why.

Works without a running server. Explains nothing itself; that is `explaining`'s.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from blastbeat.config import find_config
from blastbeat.config_file import ConfigFile
from blastbeat.explaining.explainer import explain
from blastbeat.explaining.question import BadQuestion, read_question
from blastbeat.explaining.text import format_explanation
from blastbeat.logs import set_up_logging, tell

_OK, _USAGE = 0, 2


def run(options: argparse.Namespace) -> int:
    """Print the explanation to standard output; 0 whatever the server would answer, 2 for a question that
    makes no sense. Raises ConfigError for a configuration that no server would start with."""
    set_up_logging(options.log_level or "warning")
    try:
        question = read_question(options.url, options.method, options.header, options.client)
    except BadQuestion as error:
        tell(f"blastbeat: {error}")
        return _USAGE
    source = ConfigFile(find_config(options.config, os.environ))
    config, _ = source.load(strict=False)
    for problem in source.plugin_problems:
        tell(str(problem))
    assert source.manager is not None
    declared = source.manager.config().declared
    found = explain(config, source.manager.build_registry(), question, declared)
    text = f"{json.dumps(found.as_json(), indent=2)}\n" if options.json else format_explanation(found)
    sys.stdout.write(text)
    return _OK
