"""Files of any size, read line by line: a line, a field, a file without an end never fill the memory. No database here."""

import codecs
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from helpdesk.rows import CSV_COLUMNS, Refused, clean

LONGEST_CSV_LINE = 1_000_000  # characters
LONGEST_JSON_LINE = 10 * 1024 * 1024  # bytes: what one request may be
SEPARATORS = ",;\t"
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}  # byte order marks, as spreadsheets write them
ALSO_CALLED = {"external_id": "conversation_id", "value": "score", "rated_at": "closed_at"}
NEEDED = ("external_id", "agent", "value", "rated_at")


class Unreadable(Exception):
    """Nothing of the file can be read; the message says why."""


class RatingsCsv:
    """A CSV file of ratings. `columns` says where each of CSV_COLUMNS stands in a row; a context manager.

    The separator is a comma, a semicolon or a tab, whichever the header uses. Raises Unreadable.
    """

    def __init__(self, path: Path, renamed: dict[str, str], needed: tuple[str, ...] = NEEDED):
        """`renamed` is {our column: their column}; without a column of `needed` the file is Unreadable."""
        self.size = path.stat().st_size
        self._raw = path.open("rb")
        start = self._raw.read(3)
        encoding = next((name for mark, name in MARKS.items() if start.startswith(mark)), "utf-8")
        # Bytes that are not UTF-8 become lone surrogates, so that their row, and no other, is refused.
        self._errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
        self._encoding = encoding
        self._text: io.TextIOWrapper | None = None
        header = self._start()
        self.columns = _columns([name.strip() for name in header], renamed, needed)
        self.width = len(header)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._raw.close()

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._raw.tell()

    def rows(self) -> Iterator[tuple[int, list[str] | Refused]]:
        """Each row with the number of its first line; a Refused in place of a row that cannot be read. From the start."""
        self._start()
        while True:
            line = self._reader.line_num + 2  # the header is line 1 and was read apart
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                last = self._reader.line_num + 1
                span = f" Lines {line} to {last} were read as one row." if last > line else ""
                yield line, Refused("", f"It is not CSV: {error}.{span}")
                continue
            if self._reader.line_num + 1 == self._overlong:
                yield line, Refused("", f"The line is longer than {LONGEST_CSV_LINE:,} characters.")
            elif len(cells) != self.width:
                if cells:
                    yield line, Refused("", f"It has {len(cells)} columns, the header has {self.width}.")
            else:
                yield line, cells

    def values_without_a_scale(self) -> Iterator[str]:
        """The values whose scale the file does not tell, for guessing it. Reads the file from its start."""
        value, scale = self.columns["value"], self.columns.get("scale")
        for _, cells in self.rows():
            if not isinstance(cells, Refused) and (scale is None or not cells[scale].strip()):
                yield cells[value]

    def _start(self):
        """Go to the first row and return the header."""
        if self._text is not None:
            self._text.detach()  # each pass has a decoder of its own over the same file
        self._raw.seek(0)
        self._text = io.TextIOWrapper(self._raw, encoding=self._encoding, errors=self._errors, newline="")
        self._overlong = 0
        lines = self._lines()
        first = next(lines, "")
        if not first.strip():
            raise Unreadable("The file is empty.")
        separator = max(SEPARATORS, key=first.count)
        header = next(csv.reader([first], delimiter=separator), [])
        self._reader = csv.reader(lines, delimiter=separator)
        return header

    def _lines(self):
        number = 0
        while line := self._text.readline(LONGEST_CSV_LINE):
            number += 1
            if len(line) == LONGEST_CSV_LINE and not line.endswith("\n"):
                self._overlong = number
                while (rest := self._text.readline(LONGEST_CSV_LINE)) and not rest.endswith("\n"):
                    pass
            yield line


def json_lines(file: BinaryIO) -> Iterator[tuple[int, Any]]:
    """Each line of a JSONL file with its number: what it says, or a Refused in its place. Blank lines are left out."""
    number = 0
    while line := file.readline(LONGEST_JSON_LINE + 1):
        number += 1
        if len(line) > LONGEST_JSON_LINE:
            while (rest := file.readline(LONGEST_JSON_LINE)) and not rest.endswith(b"\n"):
                pass
            yield number, Refused("", f"The line is longer than {LONGEST_JSON_LINE // 1024 // 1024} MB.")
        elif line := line.strip():
            yield number, _json(line)


def _json(line):
    try:
        return json.loads(line.decode("utf-8-sig"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        return Refused("", "It is not UTF-8.")
    except RecursionError:
        return Refused("", "It is nested too deeply.")
    except ValueError as error:
        place = f" (column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        return Refused("", f"It is not JSON{place}.")


def _no_constant(name):
    raise ValueError(f"{name} is not JSON")


def _columns(header, renamed, needed):
    header = [name.lower() for name in header]
    try:
        for name in header:
            clean(name, "header")
    except Refused as refused:
        raise Unreadable(f"The header cannot be read. {refused.detail}") from None
    columns, missing = {}, []
    for ours in CSV_COLUMNS:
        names = [renamed[ours].strip().lower()] if ours in renamed else [ours, ALSO_CALLED.get(ours, ours)]
        found = next((name for name in names if name in header), None)
        if found is not None:
            if header.count(found) > 1:
                raise Unreadable(f"The column {found} stands twice in the header.")
            columns[ours] = header.index(found)
        elif ours in needed or ours in renamed:
            missing.append(names[0] if len(set(names)) == 1 else f"{names[0]} (or {names[1]})")
    if missing:
        raise Unreadable(
            f"The file lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}. Its header has: "
            f"{', '.join(name[:40] for name in header[:30])}. Say what a column is called there with --map OURS=THEIRS."
        )
    return columns
