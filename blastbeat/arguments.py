"""What may stand on the command line: each command's words and options, and nothing of what it does.

A function per command adds its options; the table below joins them. No command's module is loaded here, so
that `--help` and `--version` are instant.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping

from blastbeat import __version__
from blastbeat.logs import LEVELS
from blastbeat.node.options import OPTIONS, Option

_EPILOG = """\
CONFIG is a .toml or .ini file. Without it: $BLASTBEAT_CONFIG, ./blastbeat.toml, ./blastbeat.ini,
/etc/blastbeat/blastbeat.toml. `COMMAND --help` tells its options, `plugins` commands of plugins.
exit codes: 0 clean, 1 failed while running, 2 usage, 3 could not start, 78 bad configuration
"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """argparse's own, without the line that only repeats that a command is expected."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=100)

    def _format_action(self, action: argparse.Action) -> str:
        text = super()._format_action(action)
        return text.partition("\n")[2] if isinstance(action, argparse._SubParsersAction) else text


def build_parser() -> argparse.ArgumentParser:
    """The whole command line. `command` is the chosen one's name, or None."""
    parser = argparse.ArgumentParser(
        prog="blastbeat",
        description="An HTTP proxy that hands each request to a node as ZeroMQ messages.",
        epilog=_EPILOG,
        formatter_class=_Formatter,
        allow_abbrev=False,
        add_help=False,
    )
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    general = parser.add_argument_group("options")
    general.add_argument("-h", "--help", action="help", help="show this and exit")
    general.add_argument(
        "-V",
        "--version",
        action="version",
        version=f"blastbeat {__version__}",
        help="show the version and exit",
    )
    for name, (text, add_arguments) in COMMANDS.items():
        add_arguments(_add_command(commands, name, text))
    return parser


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        formatter_class=_Formatter,
        allow_abbrev=False,
    )


def _serve(parser: argparse.ArgumentParser) -> None:
    _config_argument(parser)
    parser.add_argument("--bind", metavar="ADDRESS", help="listen here instead of `bind`, e.g. 127.0.0.1:80")
    parser.add_argument("--zmq", metavar="ENDPOINT", help="await nodes here instead of `zmq`")
    parser.add_argument("--access-log", metavar="TARGET", help="stderr, off or a file, for `access-log`")
    parser.add_argument("--log-format", choices=("text", "json"), help="how both logs are written")
    parser.add_argument(
        "--profile-plugins", action="store_true", help="measure what plugins cost, for `blastbeat status`"
    )
    _log_level(parser)


def _reload(parser: argparse.ArgumentParser) -> None:
    _config_argument(parser)
    parser.add_argument("--dry-run", action="store_true", help="print what is different, change nothing")
    _json(parser)
    _log_level(parser)


def _check(parser: argparse.ArgumentParser) -> None:
    _config_argument(parser)
    _json(parser)
    parser.add_argument("--strict", action="store_true", help="exit with 78 for warnings, too")
    _log_level(parser)


def _config(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", title="commands", metavar="COMMAND", required=True)
    show = _add_command(actions, "show", "print the configuration in force, each value with its source")
    _config_argument(show)
    _json(show)
    only = show.add_mutually_exclusive_group()
    only.add_argument("--virtualhost", metavar="NAME", help="only this virtualhost, with its routes")
    only.add_argument("--section", metavar="NAME", help="only this, e.g. blastbeat, plugins, plugin.NAME")
    _log_level(show)
    convert = _add_command(actions, "convert", "print TOML that means the same as an ini file")
    convert.add_argument("file", metavar="OLD.ini", help="the file to read; it is not changed")
    convert.add_argument("-o", "--output", metavar="FILE", help="write it here; no file may be there yet")
    _log_level(convert)


def _status(parser: argparse.ArgumentParser) -> None:
    _config_argument(parser)
    parser.add_argument("--json", action="store_true", help="everything, as one line of JSON")
    again = "again and again, every 2 s by default, until Ctrl-C"
    parser.add_argument("--watch", type=_seconds, nargs="?", const=2.0, metavar="SECONDS", help=again)
    parser.add_argument("--virtualhost", metavar="NAME", help="only this virtualhost, and its nodes")
    parser.add_argument("--search", metavar="TEXT", help="only those with the text in a name of theirs")
    parser.add_argument("--limit", type=_count, metavar="N", help="at most so many (default 50; --json: all)")
    _log_level(parser)


def _explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="what a client asks for, e.g. http://shop.example/api")
    parser.add_argument("--config", metavar="CONFIG", help="a .toml or .ini file")
    parser.add_argument("--method", default="GET", metavar="METHOD", help="default %(default)s")
    field = "'Name: value', a header of the request; may be repeated"
    parser.add_argument("--header", action="append", default=[], metavar="FIELD", help=field)
    parser.add_argument("--client", default="", metavar="ADDRESS", help="the client's, e.g. 192.0.2.7")
    _json(parser)
    _log_level(parser)


def _plugins(parser: argparse.ArgumentParser) -> None:
    _config_argument(parser)
    _json(parser)
    _log_level(parser)


def _new_plugin(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the plugin's, as configurations will write it")
    parser.add_argument("--kind", required=True, choices=NEW_PLUGIN_KINDS, help="what it offers")
    parser.add_argument(
        "--directory", default=".", metavar="FOLDER", help="make its folder in this one (default: here)"
    )
    _log_level(parser)


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, metavar="N", help="the port to serve on (default 8080; 0: any)")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default %(default)s")
    _log_level(parser)


def _node(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="a TOML file with a table [node]")
    _node_options(parser, OPTIONS)


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default %(default)s")
    parser.add_argument(
        "--port", type=_port, default=8000, metavar="N", help="default %(default)s; 0: any free one"
    )
    parser.add_argument("--config", metavar="FILE", help="a TOML file with a table [node]")
    _node_options(parser, (option for option in OPTIONS if option.name not in RUN_WITHOUT))


def _node_options(parser: argparse.ArgumentParser, options: Iterable[Option]) -> None:
    """Nothing has a default here: what is not said may be said in the environment or in the file."""
    for option in options:
        text = option.help + _default_text(option)
        if option.name == "app":
            parser.add_argument("app", nargs="?", metavar="APP", help=text)
        elif option.kind == "flag":
            action = argparse.BooleanOptionalAction
            parser.add_argument(f"--{option.name}", action=action, default=None, help=text)
        else:
            action_name = "append" if option.repeated else "store"
            parser.add_argument(f"--{option.name}", action=action_name, metavar=option.metavar, help=text)


RUN_WITHOUT = ("connect", "name", "silence", "credit", "hang-timeout", "max-requests", "graceful-timeout")
"""Options of a node that mean nothing with a server of its own, or while somebody looks on."""


def _default_text(option: Option) -> str:
    default = option.shown_default
    return f" (default {default})" if default else ""


NEW_PLUGIN_KINDS = ("encoder", "selector", "authenticator", "node-authenticator", "filter")
"""`authenticator` judges requests."""

COMMANDS: Mapping[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "serve": ("accept clients and forward them to nodes (also plain: blastbeat FILE)", _serve),
    "node": ("run an ASGI or WSGI application behind one server or several", _node),
    "run": ("a server and an application behind it in one go, for development", _run),
    "reload": ("let a running server read its configuration again", _reload),
    "check": ("say everything that is wrong with a configuration", _check),
    "config": ("show the configuration in force; convert an ini file to TOML", _config),
    "status": ("what a running server is doing: its virtualhosts, its nodes", _status),
    "explain": ("say what would serve a URL, and why", _explain),
    "plugins": ("list every plugin, where it comes from and what it offers", _plugins),
    "new-plugin": ("write a plugin to begin with: a small distribution, complete", _new_plugin),
    "demo": ("a server and a node of its own, to look at in a browser", _demo),
}
"""By name, in the order of the help: what each does, and what adds its options to its parser."""


def _config_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", nargs="?", metavar="CONFIG", help="a .toml or .ini file")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def _log_level(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log-level", choices=LEVELS, metavar="LEVEL", help=f"one of {', '.join(LEVELS)}")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 0xFFFF):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; a number from 0 to 65535 is")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds; one from 0.1 to 86400 is")
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) <= 2000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 2000")
    return int(text)
