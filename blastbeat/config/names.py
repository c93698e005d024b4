"""Names and addresses: listeners, endpoints, hosts, nodes, plugin objects; from text to the model's values.

Pure text: whether an address can be bound, or a plugin is installed, is for others to say.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from blastbeat.config.model import Address, NodeRef, PluginRef
from blastbeat.config.values import MAX_SOCKET_PATH, BadValue, Kind, split_words

# An identity of ZeroMQ has at most 255 bytes, and an instance adds `/` and up to 64 of them to the name.
MAX_NODE_NAME = 190
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*", re.ASCII)
_PLAIN_WORDS = re.compile(r"[ !#-&(-\[\]-~]*")  # ASCII without quotes and backslash
_OPTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)


def parse_port(text: str, lowest: int = 0) -> int:
    """A TCP port; raises BadValue outside `lowest` to 65535."""
    if re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) and lowest <= int(text) <= 65535:
        return int(text)
    raise BadValue(f"has no usable port: {text!r} is not a number from {lowest} to 65535")


def _parse_ip6(text: str) -> str:
    address, percent, scope = text.partition("%")
    try:
        ipaddress.IPv6Address(address)
    except ValueError as problem:
        raise BadValue(f"has a bad IPv6 address: {problem}") from None
    if percent and not re.fullmatch(r"[A-Za-z0-9_.:-]{1,32}", scope, re.ASCII):
        raise BadValue(f"has a bad scope after the IPv6 address: {scope!r}")
    return text


def split_host_port(text: str) -> tuple[str, str]:
    """Host without brackets, and port as text; either may be empty. Raises BadValue."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise BadValue("has a bracket that does not close; write [address]:port")
        return _parse_ip6(host), rest[1:]
    if text.count(":") > 1:
        raise BadValue("looks like IPv6 without brackets", "write [address]:port")
    host, _, port = text.partition(":")
    return host, port


def _check_host(host: str) -> None:
    if re.fullmatch(r"[0-9.]+", host, re.ASCII):
        try:
            ipaddress.IPv4Address(host)
        except ValueError as problem:
            raise BadValue(f"has a bad IPv4 address: {problem}") from None
    elif not _HOST_NAME.fullmatch(host.removesuffix(".")):
        raise BadValue(f"has {host!r}, which is not a host name")


class AddressKind(Kind):
    """`host:port`, `:port` or `port`. The original's PRIORITY after it is read and forgotten.

    `proxy-protocol` behind it: whoever connects there begins with the PROXY protocol's header.
    """

    label = "address"

    def __init__(self, *, for_clients: bool = False, is_tls: bool = False) -> None:
        self.for_clients = for_clients or is_tls
        self.is_tls = is_tls

    def parse(self, value: object) -> Address:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        words = value.split() if isinstance(value, str) else []
        proxied = self.for_clients and "proxy-protocol" in words[1:]
        if proxied:
            words.remove("proxy-protocol")
        if not 1 <= len(words) <= 2:
            raise BadValue("is not an address; write host:port, e.g. 0.0.0.0:8080 or [::]:8080")
        text = words[0]
        if text.isdigit():
            return Address("", parse_port(text), proxied, self.is_tls)
        host, port = split_host_port(text)
        if not port:
            raise BadValue("has no port; write host:port, e.g. 0.0.0.0:8080 or [::]:8080")
        if host == "*":
            host = ""
        if host and ":" not in host:
            _check_host(host)
        return Address(host, parse_port(port), proxied, self.is_tls)

    def format(self, value: Any) -> str:
        return f"{value} proxy-protocol" if value.proxy_protocol else str(value)


class EndpointKind(Kind):
    """A ZeroMQ endpoint to bind: `tcp://host:port` or `ipc://path`."""

    label = "endpoint"

    def parse(self, value: object) -> str:
        text = value.strip() if isinstance(value, str) else ""
        transport, separator, rest = text.partition("://")
        if not separator or not rest or not text.isprintable():
            raise BadValue("is not an endpoint; write tcp://host:port or ipc://path")
        if transport == "ipc":
            if len(rest.encode(errors="replace")) > MAX_SOCKET_PATH:
                raise BadValue(f"has a path of more than {MAX_SOCKET_PATH} bytes, the most for a socket")
        elif transport == "tcp":
            self._check_tcp(rest)
        else:
            raise BadValue(f"has the transport {transport!r}; nodes are reached by tcp or ipc")
        return text

    def _check_tcp(self, rest: str) -> None:
        host, port = split_host_port(rest)
        if not host:
            raise BadValue("has no host; write tcp://127.0.0.1:5000, or tcp://*:5000 for all interfaces")
        if host != "*" and ":" not in host:
            _check_host(host)
        if port != "*":
            parse_port(port)


def is_private_endpoint(endpoint: str) -> bool:
    """True for ipc and for tcp on a loopback address: where only this machine can be a node."""
    if endpoint.startswith("ipc://"):
        return True
    host, _ = split_host_port(endpoint.removeprefix("tcp://"))
    if host in ("localhost", "lo"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class HostKind(Kind):
    """The name of a virtualhost: `host`, `host:port`, `*.suffix`, `*`. Kept as written."""

    label = "host name"

    def parse(self, value: object) -> str:
        text = value.strip() if isinstance(value, str) else ""
        if not text:
            raise BadValue("is not a host name")
        if "/" in text:
            raise BadValue("names a path; write host or host:port", 'a route is [vhost."HOST".route."/PATH"]')
        if not text.isascii():
            raise BadValue("is not ASCII; write an international name in its xn-- form")
        host, port = split_host_port(text)
        if text.endswith(":") or port:
            parse_port(port, lowest=1)
        rest = host.removeprefix("*.") if host.startswith("*.") else host
        if "*" in rest and rest != "*":
            raise BadValue("has a * in the wrong place; write *.example.org or *")
        if rest != "*" and ":" not in rest:
            _check_host(rest)
        return text

    def parse_all(self, value: object) -> Sequence[str]:
        words = split_words(value, "write host or host:port")
        return tuple(self.parse(word) for word in words or [""])


def split_host_name(name: str) -> tuple[str, int | None]:
    """A virtualhost's name as it is compared (lower case, no trailing dot), and its port, if it has one."""
    host, port = split_host_port(name)
    if ":" in host:
        host = str(ipaddress.IPv6Address(host.partition("%")[0]))
    return host.lower().removesuffix("."), int(port) if port else None


def parse_words_with_options(text: str, *, may_repeat: bool = False) -> tuple[str, dict[str, Any]]:
    """`name key=value key="two words"`: the name and its options, as texts. An option that is given several
    times is a list of them where it `may_repeat`. Raises BadValue."""
    try:
        # shlex takes 50 times as long, and 10,000 virtualhosts have a node each.
        words = text.split() if _PLAIN_WORDS.fullmatch(text) else shlex.split(text)
    except ValueError as problem:
        raise BadValue(f"cannot be read: {problem}".replace("quotation", "quotation mark")) from None
    if not words:
        raise BadValue("is empty")
    options: dict[str, list[str]] = {}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if not equals or not _OPTION_NAME.fullmatch(key):
            raise BadValue(f"has {word!r} after the name; options are written key=value")
        if key in options and not may_repeat:
            raise BadValue(f"gives the option {key!r} twice")
        options.setdefault(key, []).append(value)
    return words[0], {key: values if len(values) > 1 else values[0] for key, values in options.items()}


def format_words_with_options(name: str, options: Mapping[str, Any]) -> str:
    """The same, the other way round; a table among the options becomes the texts that stand for it."""
    return " ".join((name, *_words_of(options)))


def _words_of(options: Mapping[str, Any]) -> Iterator[str]:
    for key, value in options.items():
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, Mapping):
                yield from (f"{key}={quote_word(f'{name}: {item}')}" for name, item in each.items())
            else:
                yield f"{key}={quote_word(str(each))}"


def quote_word(text: str) -> str:
    """As one word of a line, in quotes where it needs them."""
    if text and not re.search(r"""[\s'"\\]""", text):
        return text
    return shlex.quote(text) if "'" in text else f"'{text}'"


def _name_and_options(value: object, example: str, *, may_repeat: bool = False) -> tuple[str, dict[str, Any]]:
    if isinstance(value, str):
        return parse_words_with_options(value, may_repeat=may_repeat)
    if isinstance(value, Mapping):
        options = dict(value)
        name = options.pop("name", None)
        if isinstance(name, str) and name:
            return name, options
        raise BadValue(f"is a table without a name; write {{ name = {example!r}, … }}")
    raise BadValue(f"is neither a text nor a table; write {example!r}")


def _split_at_commas(text: str) -> list[str]:
    """At each comma that white space follows, outside of quotation marks."""
    parts, quote = [""], ""
    for mark, following in zip(text, f"{text[1:]}x", strict=True):
        if mark in "\"'" and quote in ("", mark):
            quote = "" if quote else mark
        if mark == "," and not quote and following.isspace():
            parts.append("")
        else:
            parts[-1] += mark
    return parts


class PluginKind(Kind):
    """An object that a plugin registered, picked by name among those of `registry_kind`."""

    label = "plugin object"

    def __init__(self, registry_kind: str) -> None:
        self.registry_kind = registry_kind

    def parse(self, value: object) -> PluginRef:
        name, options = _name_and_options(value, "identity", may_repeat=True)
        if not name.isprintable() or any(mark in name for mark in "= ,"):
            raise BadValue(f"has a bad name {name!r}; write a name, then its options as key=value")
        return PluginRef(name, options)

    def parse_all(self, value: object) -> Sequence[PluginRef]:
        """`identity, address allow=10.0.0.0/8` are two; a comma in a word or quotation marks parts none."""
        texts = _split_at_commas(value) if isinstance(value, str) else [value]
        return tuple(self.parse(text) for text in texts)

    def locate(self, value: Any, folder: str) -> Any:
        return replace(value, folder=folder)

    def format(self, value: Any) -> str:
        return format_words_with_options(value.name, value.options)


class DriverKind(Kind):
    """`auto` or the name of a driver; drivers take no options. `registry_kind` says of what kind."""

    label = "`auto` or driver"

    def __init__(self, registry_kind: str = "driver") -> None:
        self.registry_kind = registry_kind

    def parse(self, value: object) -> str:
        reference = PluginKind(self.registry_kind).parse(value)
        if reference.options:
            raise BadValue("has options; a driver takes none")
        return reference.name


class NodeKind(Kind):
    """A node's name, and what a selector may want to know of it: `app1 weight=3`."""

    label = "node"

    def parse(self, value: object) -> NodeRef:
        name, options = _name_and_options(value, "app1")
        if not name:
            raise BadValue("is empty; a node has a name")
        if "/" in name:
            raise BadValue(
                "contains '/': that is for instances, which name themselves", "write the node's name"
            )
        if len(name.encode(errors="replace")) > MAX_NODE_NAME:
            raise BadValue(f"is longer than {MAX_NODE_NAME} bytes")
        if not name.isprintable() or " " in name:
            raise BadValue("contains spaces or characters that cannot be printed")
        return NodeRef(name, options)

    def format(self, value: Any) -> str:
        return format_words_with_options(value.name, value.options)


class NetworkKind(Kind):
    """An IP address or network in CIDR form."""

    label = "networks"

    def parse(self, value: object) -> str:
        if not isinstance(value, str):
            raise BadValue("is not a text; write addresses or networks, e.g. 10.0.0.0/8")
        try:
            return str(ipaddress.ip_network(value.strip(), strict=False))
        except ValueError:
            raise BadValue(
                f"has {value!r}: not an address or network; write e.g. 10.0.0.0/8 or ::1"
            ) from None

    def parse_all(self, value: object) -> Sequence[str]:
        words = split_words(value, "write addresses or networks, e.g. 10.0.0.0/8")
        return tuple(self.parse(word) for word in words)
