"""Every key of a TOML text is found on its line, whatever stands around it."""

from __future__ import annotations

from blastbeat.config.toml_lines import locate_keys

TEXT = '''\
# bind = "in a comment"
title = "x" # [blastbeat]
multi = """
bind = 1
[vhost]
\\""" still inside """
literal = \'\'\'
a = 1 \'\'\'

[blastbeat] # the server
bind = [ # addresses
    "a",   # [first]
    'b',

    { name = "c", key = "=" }, # third
]
ping-freq=3
"quoted key" = 1
dotted.key . "in three" = 2

[vhost."local\\u0068ost:8000"]
node = ["x", ["y",
  "z"]]
selector = { name = "hash", deep = { key = 1 } }

[[plugin.many]]
a = 1
[[plugin.many]]
a = 2
[late.sub]
[late]
'''


def test_lines() -> None:
    lines = locate_keys(TEXT)

    assert dict(lines) == {
        ("title",): 2,
        ("multi",): 3,
        ("literal",): 7,
        ("blastbeat",): 10,
        ("blastbeat", "bind"): 11,
        ("blastbeat", "bind", "0"): 12,
        ("blastbeat", "bind", "1"): 13,
        ("blastbeat", "bind", "2"): 15,
        ("blastbeat", "bind", "2", "name"): 15,
        ("blastbeat", "bind", "2", "key"): 15,
        ("blastbeat", "ping-freq"): 17,
        ("blastbeat", "quoted key"): 18,
        ("blastbeat", "dotted"): 19,
        ("blastbeat", "dotted", "key"): 19,
        ("blastbeat", "dotted", "key", "in three"): 19,
        ("vhost",): 21,
        ("vhost", "localhost:8000"): 21,
        ("vhost", "localhost:8000", "node"): 22,
        ("vhost", "localhost:8000", "node", "0"): 22,
        ("vhost", "localhost:8000", "node", "1"): 22,
        ("vhost", "localhost:8000", "node", "1", "0"): 22,
        ("vhost", "localhost:8000", "node", "1", "1"): 23,
        ("vhost", "localhost:8000", "selector"): 24,
        ("vhost", "localhost:8000", "selector", "name"): 24,
        ("vhost", "localhost:8000", "selector", "deep"): 24,
        ("vhost", "localhost:8000", "selector", "deep", "key"): 24,
        ("plugin",): 26,
        ("plugin", "many"): 26,
        ("plugin", "many", "0"): 26,
        ("plugin", "many", "0", "a"): 27,
        ("plugin", "many", "1"): 28,
        ("plugin", "many", "1", "a"): 29,
        ("late", "sub"): 30,
        ("late",): 31,
    }
