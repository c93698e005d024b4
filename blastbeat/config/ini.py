"""The ini notation of the original: text to rows.

Not configparser, which can neither repeat a key nor say where a value came from. A comment begins with `;` or
`#` at the beginning of a line or after a space (the original knew the former only). Knows no option.
"""

from __future__ import annotations

import re

from blastbeat.config import rows
from blastbeat.config.rows import Document, Row, Section
from blastbeat.errors import Problem

# The label ends at the last bracket before a comment: it may hold an IPv6 address in brackets itself.
_HEADER = re.compile(r"\[(.*?)\]\s*(?:[;#].*)?")
_COMMENT = re.compile(r"(?:^|\s)[;#].*$")
_QUOTED = re.compile(r'"[^"]*"')


def read_ini(text: str, file: str) -> Document:
    """The sections of an ini file. Never raises; what cannot be read is in the document's problems."""
    document = Document()
    section: Section | None = None
    misplaced = False  # below a header that can't be read, its keys are not worth a word
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if not stripped or stripped[0] in ";#":
            continue
        if stripped.startswith("["):
            section = _read_header(stripped, file, number, document)
            misplaced = section is None
            continue
        row = _read_row(stripped, file, number, document)
        if row is None or misplaced:
            continue
        if section is None:
            document.problems.append(
                rows.problem_at(
                    None, row, "stands before the first section", "begin the file with [blastbeat]"
                )
            )
            misplaced = True
            continue
        section.rows.append(row)
    return document


def _read_header(text: str, file: str, number: int, document: Document) -> Section | None:
    match = _HEADER.fullmatch(text)
    if match is None:
        document.problems.append(
            Problem("this section's bracket does not close", file=file, line=number, value=rows.show(text))
        )
        return None
    label = match[1].strip()
    word, colon, name = label.partition(":")
    word, name = word.strip().lower(), name.strip()
    if word == "blastbeat":
        host, slash, path = name.partition("/")
        kind = rows.SERVER if not colon else rows.ROUTE if slash else rows.VIRTUALHOST
        name, host = (slash + path, host.strip()) if slash else (name, "")
        section = Section(kind, name, rows.printable(label), file, number, host=host)
    elif word == "plugins" and not colon:
        section = Section(rows.PLUGINS, "", label, file, number)
    elif word == "plugin" and name:
        section = Section(rows.PLUGIN, name, rows.printable(label), file, number)
    else:
        section = Section(rows.TABLE, name, rows.printable(label), file, number, word=word)
    document.sections.append(section)
    return section


def _read_row(text: str, file: str, number: int, document: Document) -> Row | None:
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        document.problems.append(
            Problem("is neither a section nor key = value", file=file, line=number, value=rows.show(text))
        )
        return None
    return Row(key.lower(), _clean(value.strip()), file, number)


def comment_of(line: str) -> str:
    """The comment behind what stands on a line that is no comment itself; empty where there is none."""
    if line.strip().startswith("["):
        match = _HEADER.fullmatch(line.strip())
        return line.strip()[match.end(1) + 1 :].strip() if match else ""
    value = line.partition("=")[2].strip()
    return value[_end_of(value) :].strip()


def _end_of(value: str) -> int:
    """Where a value ends and a comment may begin."""
    blanked = _QUOTED.sub(lambda quoted: "x" * len(quoted[0]), value)
    comment = _COMMENT.search(blanked)
    return comment.start() if comment else len(value)


def _clean(value: str) -> str:
    """The value without a comment behind it and, where it is one quoted text, without the quotes."""
    value = value[: _end_of(value)].rstrip()
    if len(value) >= 2 and value[0] == value[-1] == '"' and '"' not in value[1:-1]:
        return value[1:-1]
    return value
