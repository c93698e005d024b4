"""The options of `blastbeat node`, a line each, from which the command line, the environment, `[node]` in a
file, the help and the reference follow; and what a worker is told of them.

Declarations: light, so that `--help` is instant. Reading is the business of settings.py.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

ENVIRONMENT = "BLASTBEAT_NODE_"
TABLE = "node"


@dataclass(frozen=True, slots=True)
class Option:
    """`kind`: "text", "flag", "count", "time", "size", "folder", "endpoint" or "choice". `minimum` and
    `maximum` are in seconds or bytes; `zero` says what 0 means and allows it. `help` is the line of
    ``--help``, `when` goes on behind it in the reference: when somebody wants it."""

    name: str
    kind: str
    metavar: str
    help: str
    when: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    zero: str = ""
    repeated: bool = False
    for_development: bool = False

    @property
    def field(self) -> str:
        """The attribute of Settings that holds the value."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return ENVIRONMENT + self.field.upper()

    @property
    def default(self) -> Any:
        """Declared in Settings and nowhere else; None for what must be given."""
        declared = next(each for each in fields(Settings) if each.name == self.field)
        return None if declared.default is MISSING else declared.default

    @property
    def shown_default(self) -> str:
        """As somebody would write it; empty where there is none to speak of."""
        default = self.default
        if self.kind == "flag" or default is None or default in ("", ()):
            return ""
        if self.kind == "time":
            return f"{default:g}s"
        if self.kind == "size":
            return f"{default // 1024}KiB"
        return str(default)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force: times in seconds, sizes in bytes, folders absolute."""

    app: str
    connect: tuple[str, ...]
    name: str
    interface: str = "auto"
    factory: bool = False
    app_dir: str = "."
    root_path: str = ""
    lifespan: str = "auto"
    workers: int = 1
    threads: int = 8
    backlog: int = 1024
    max_requests: int = 0
    credit: int = 256 * 1024
    silence: float = 15.0
    graceful_timeout: float = 30.0
    start_timeout: float = 120.0
    hang_timeout: float = 60.0
    reload: bool = False
    reload_dir: tuple[str, ...] = ()
    log_level: str = "info"
    log_format: str = "text"

    def to_json(self) -> str:
        """On one line, for a worker."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """What `to_json` made."""
        values: dict[str, Any] = json.loads(text)
        for key, value in values.items():
            values[key] = tuple(value) if isinstance(value, list) else value
        return cls(**values)


OPTIONS = (
    Option(
        "app",
        "text",
        "APP",
        "the application, as module:attribute, e.g. shop.asgi:application",
        "Without `:attribute` the module's `application` is taken, else its `app`. "
        "`:a.b` reaches into what `a` names.",
    ),
    Option(
        "connect",
        "endpoint",
        "ENDPOINT",
        "where a server awaits nodes, e.g. tcp://front:5000; may be repeated",
        "What the server's `zmq` says, as seen from here. Several: the same node serves several servers.",
        repeated=True,
    ),
    Option(
        "name",
        "text",
        "NAME",
        "the node's name, as `node` of a virtualhost says it",
        "Each worker is an instance of it.",
    ),
    Option(
        "interface",
        "choice",
        "KIND",
        "asgi, wsgi, or auto: found out by looking at the application",
        "Only where it can't be told from outside, e.g. behind a decorator; the error says so.",
        choices=("auto", "asgi", "wsgi"),
    ),
    Option(
        "factory",
        "flag",
        "",
        "APP is called without arguments and returns the application",
        "For an application that `create_app()` makes.",
    ),
    Option(
        "app-dir",
        "folder",
        "FOLDER",
        "where APP is looked for first",
        "A relative one in a file starts at the folder of the file.",
    ),
    Option(
        "root-path",
        "text",
        "PATH",
        "the part of each path that belongs to who mounted the application, e.g. /shop",
        "Where something in front strips `/shop` and the application must put it into its links. "
        "What a route of the server strips is known without it.",
    ),
    Option(
        "lifespan",
        "choice",
        "WHEN",
        "whether an ASGI application is told of start and end: auto, on, off",
        "`auto`: an application that does not know it goes without; `on`: then the start fails.",
        choices=("auto", "on", "off"),
    ),
    Option(
        "workers",
        "count",
        "N",
        "processes, each an instance of its own",
        "About as many as cores for an application that computes.",
        minimum=1,
        maximum=256,
    ),
    Option(
        "threads",
        "count",
        "N",
        "threads of each worker in which a WSGI application runs",
        "As many requests as one worker works on at a time. An ASGI application does not look at it.",
        minimum=1,
        maximum=1000,
    ),
    Option(
        "backlog",
        "count",
        "N",
        "requests of each worker that may wait for a thread of a WSGI application",
        "What is beyond goes to another instance, or is answered 503. Fewer where waiting is worse than "
        "being refused.",
        minimum=0,
        maximum=100_000,
    ),
    Option(
        "max-requests",
        "count",
        "N",
        "requests after which a worker is replaced, give or take a tenth",
        "Against an application that loses memory. Each worker draws its tenth, so that not all go at once; "
        "the new one is there before the old one drains.",
        minimum=1,
        maximum=1_000_000_000,
        zero="never",
    ),
    Option(
        "credit",
        "size",
        "SIZE",
        "bytes of each request's body that a server sends ahead of the application",
        "More for large uploads over a far network; so much memory for each upload that is read slowly.",
        minimum=4096,
        maximum=1024**3,
    ),
    Option(
        "silence",
        "time",
        "TIME",
        "how long a server may say nothing before the connection is made anew",
        "More than three of the server's `ping-freq`, which is 3 s by default.",
        minimum=1,
        maximum=3600,
    ),
    Option(
        "graceful-timeout",
        "time",
        "TIME",
        "how long what runs may take to finish when a worker stops",
        "As long as the longest request worth waiting for.",
        minimum=0.1,
        maximum=86400,
    ),
    Option(
        "start-timeout",
        "time",
        "TIME",
        "how long an application may take to load and start",
        "Longer for one that reads much before it can serve.",
        minimum=1,
        maximum=86400,
    ),
    Option(
        "hang-timeout",
        "time",
        "TIME",
        "how long a worker's event loop may stand still before it is replaced",
        "Longer where an async application computes for long without a pause. What runs in threads, as "
        "WSGI does, does not count.",
        minimum=1,
        maximum=86400,
        zero="never",
    ),
    Option(
        "reload",
        "flag",
        "",
        "replace the workers whenever a Python file changes (needs blastbeat[reload])",
        "For development only.",
        for_development=True,
    ),
    Option(
        "reload-dir",
        "folder",
        "FOLDER",
        "watch this instead of the application's folder; may be repeated",
        repeated=True,
        for_development=True,
    ),
    Option(
        "log-level",
        "choice",
        "LEVEL",
        "debug, info, warning, error or critical",
        choices=("debug", "info", "warning", "error", "critical"),
    ),
    Option(
        "log-format",
        "choice",
        "FORMAT",
        "how log lines are written: text or json",
        choices=("text", "json"),
    ),
)
"""In the order of the help."""

BY_NAME = {option.name: option for option in OPTIONS}
