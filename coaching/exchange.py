"""An AI agent's configuration as files in a zip archive: for people and versioning tools to read, and read back exactly. Pure.

    configuration.yaml              format, agent, agent_id, configuration (its number), exported_at
    prompt.md                       front matter: id, version; body: the system prompt
    procedures/FOLDER/NAME.md       front matter: id, version, name, trigger, active, folder; body: the steps
    memories/NAME.md                front matter: id, version, summary, expires; body: the text

Names of files are for the eye: what counts stands in the front matter, between two lines of `---`. It is YAML of the plainest
kind: one key and one value a line. Anchors, aliases, tags, lists and keys that stand twice are refused, so no entry can lead
back to itself. The last line feed of a file ends its last line and is no part of the body.
"""

import io
import json
import re
import stat
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import yaml

FORMAT = 1
LARGEST = 10 * 1024 * 1024  # bytes of an archive
MOST_FILES = 20_000
MOST_INFLATED = 50 * 1024 * 1024  # bytes of all files together
LARGEST_FILE = 1024 * 1024  # bytes; the longest text that an entry may have takes a fifth of it
LONGEST_NAME = 60  # characters of a file's name before its ending

HEAD, PROMPT = "configuration.yaml", "prompt.md"
FOLDERS = {"procedures": "procedure", "memories": "memory"}
BODY = {"prompt": "system_prompt", "procedure": "content", "memory": "text"}
KEYS = {
    "prompt": (),
    "procedure": ("name", "trigger", "active", "folder"),
    "memory": ("summary", "expires"),
}
HEAD_KEYS = ("format", "agent", "agent_id", "configuration", "exported_at")
LEFT_BY_SYSTEMS = re.compile(r"(^|/)(__MACOSX/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$)")
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)$")  # no file may be called so on Windows
ANY_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# Words that YAML readers take for something else.
TYPED = re.compile(r"(y|n|yes|no|true|false|on|off|null)$", re.IGNORECASE)
SAFE = r"[^\x00-\x1f\x7f-\xa0\u2000-\u200f\u2028-\u202f\ufeff\ufffe\uffff]"
PLAIN = re.compile(rf"[^\W\d_](?:(?![:#]){SAFE}|:(?=\S)|(?<!\s)#)*(?<![ :])")
LINE = re.compile(rf"(?! ){SAFE}*(?<! )")
ESCAPED = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unreadable(Exception):
    """The message says what is wrong, and in which file, line or field."""


@dataclass(frozen=True)
class About:
    """Where a file comes from. What a file made by hand does not say is None or empty."""

    agent: str = ""
    agent_id: str | None = None
    configuration: int | None = None
    exported_at: datetime | None = None


@dataclass(frozen=True)
class Entry:
    """A prompt, procedure or memory: `fields` are {model field: value}, complete. `path` is the file it came from."""

    kind: str
    id: str | None
    version: int | None
    fields: dict[str, Any]
    path: str = ""


@dataclass(frozen=True)
class Refused:
    """A file that could not be read: why, of which `kind` it would have been, and the ids that stand anywhere in it."""

    path: str
    problem: str
    kind: str = ""
    ids: tuple[str, ...] = ()


@dataclass
class Files:
    """What an archive holds."""

    about: About
    entries: list[Entry] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


# ------------------------------------------------------------------------------------------------------------- writing


def write(about: About, entries: Iterable[Entry]) -> bytes:
    """The archive. The same entries give the same bytes."""
    entries = list(entries)
    head = {
        "format": FORMAT,
        "agent": about.agent,
        "agent_id": about.agent_id,
        "configuration": about.configuration,
        "exported_at": about.exported_at,
    }
    texts = {HEAD: _front(head)}
    named = names(entries)
    for entry in entries:
        texts[named[entry.id]] = _document(entry)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in [HEAD, *sorted(texts.keys() - {HEAD})]:
            info = zipfile.ZipInfo(path)  # of 1980: when it was packed is no part of it
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(info, texts[path].encode())
    return made.getvalue()


def names(entries: Iterable[Entry]) -> dict[str | None, str]:
    """{id: path}: readable, safe on every system. Where two would have the same, each carries the start of its id."""
    wanted = {entry.id: _wanted_path(entry) for entry in entries}
    taken = Counter(wanted.values())
    longer = {key: f"{path}-{str(key)[:8]}" if taken[path] > 1 else path for key, path in wanted.items()}
    taken = Counter(longer.values())
    return {key: f"{path}-{key}.md" if taken[path] > 1 else f"{path}.md" for key, path in longer.items()}


def _wanted_path(entry):
    if entry.kind == "prompt":
        return PROMPT.removesuffix(".md")
    if entry.kind == "memory":
        return f"memories/{slug(entry.fields['summary'], 'memory')}"
    name, folder = slug(entry.fields["name"], "procedure"), entry.fields["folder"]
    return f"procedures/{slug(folder, 'folder')}/{name}" if folder else f"procedures/{name}"


def slug(text: str, otherwise: str) -> str:
    """`text` in small Latin letters, digits and hyphens; `otherwise` where nothing of it is left."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    found = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:LONGEST_NAME].strip("-")
    if not found or RESERVED.match(found):
        return f"{otherwise}-{found}".strip("-")
    return found


def _document(entry):
    values = {"id": entry.id, "version": entry.version}
    for key in KEYS[entry.kind]:
        values[key] = entry.fields["expires_at" if key == "expires" else key]
    return f"---\n{_front(values)}---\n{entry.fields[BODY[entry.kind]]}\n"


def _front(values):
    return "".join(f"{key}: {_spelled(value)}\n" for key, value in values.items() if value is not None)


def _spelled(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    text = str(value)
    if not isinstance(value, str) or ANY_ID.fullmatch(text):
        return text
    if PLAIN.fullmatch(text) and not TYPED.fullmatch(text):
        return text
    lines = text.split("\n")
    if len(lines) > 1 and lines[0] and lines[-1] and all(LINE.fullmatch(line) for line in lines):
        return "|-\n" + "\n".join(f"  {line}" if line else "" for line in lines)
    return ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


# ------------------------------------------------------------------------------------------------------------- reading


def read(raw: bytes) -> Files:
    """What an archive holds. A file of it that cannot be read is in `refused`; the others are read all the same.

    Raises Unreadable where the archive as a whole is none, or is not safe to open.
    """
    texts = _inflated(raw)
    root = _root(texts)
    if root is None:
        raise Unreadable(f"There is no {HEAD} in it, so it is not an exported configuration.")
    files = Files(_about(texts.pop(root + HEAD)))
    for path, content in texts.items():
        inner = path.removeprefix(root)
        try:
            kind = _kind(inner)
        except Unreadable as problem:
            files.refused.append(Refused(inner, str(problem)))
            continue
        try:
            files.entries.append(_entry(kind, inner, _text(content)))
        except Unreadable as problem:
            ids = tuple(found.lower() for found in ANY_ID.findall(content.decode("utf-8", "replace")))
            files.refused.append(Refused(inner, str(problem), kind, ids))
    return files


def _inflated(raw):
    """{path: bytes} of the archive, in order. Raises Unreadable before more than is allowed has been inflated."""
    if len(raw) > LARGEST:
        raise Unreadable("The file is larger than 10 MB.")
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise Unreadable("This is not a zip archive, or it was cut off on the way.") from error
    infos = [info for info in archive.infolist() if not info.is_dir() and not LEFT_BY_SYSTEMS.search(info.filename)]
    if len(infos) > MOST_FILES:
        raise Unreadable(f"There are more than {MOST_FILES:,} files in it.")
    texts: dict[str, bytes] = {}
    left = MOST_INFLATED
    for info in infos:
        _refuse_unsafe(info)
        if info.filename in texts:
            raise Unreadable(f"{_shown(info.filename)} is in the archive twice.")
        texts[info.filename] = content = _content(archive, info, min(left, LARGEST_FILE))
        left -= len(content)
    return texts


def _content(archive, info, most):
    try:
        with archive.open(info) as opened:
            content = opened.read(most + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, OSError) as error:
        raise Unreadable(
            f"{_shown(info.filename)} in the archive is damaged or packed in a way we do not read."
        ) from error
    if len(content) > most:
        if most == LARGEST_FILE:
            raise Unreadable(f"{_shown(info.filename)} is larger than 1 MB.")
        raise Unreadable("Unpacked, the files are larger than 50 MB.")
    return content


def _refuse_unsafe(info):
    path, mode = info.filename, info.external_attr >> 16
    if path != info.orig_filename or "\\" in path or path.startswith("/") or re.match(r"[A-Za-z]:", path):
        raise Unreadable(f"{_shown(info.orig_filename)} is not a path inside the archive.")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise Unreadable(f"{_shown(path)} leads out of the archive.")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise Unreadable(f"{_shown(path)} is a link, not a file.")
    if info.flag_bits & 0x1:
        raise Unreadable(f"{_shown(path)} is encrypted. Export it without a password.")


def _shown(path):
    """A path as a sentence may hold it."""
    return "".join(c if c.isprintable() else "?" for c in path)[:200]


def _root(texts):
    """What stands before every path: nothing, or the one folder that was packed. None where there is no configuration.yaml."""
    if HEAD in texts:
        return ""
    found = [path for path in texts if path.count("/") == 1 and path.endswith(f"/{HEAD}")]
    root = found[0].removesuffix(HEAD) if len(found) == 1 else None
    return root if root and all(path.startswith(root) for path in texts) else None


def _kind(path):
    parts = path.split("/")
    if path == PROMPT:
        return "prompt"
    if parts[0] in FOLDERS and len(parts) > 1 and path.endswith(".md"):
        return FOLDERS[parts[0]]
    raise Unreadable(f"There is no place for it: we read {HEAD}, {PROMPT}, procedures/….md and memories/….md.")


def _text(content):
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"Line {line} is not UTF-8. Save the file as UTF-8.") from error
    if "\0" in text:
        raise Unreadable(f"Line {text.count(chr(10), 0, text.index(chr(0))) + 1} holds a NUL character.")
    return text


def _entry(kind, path, text):
    front, body = _parted(text)
    values = _flat(front, ("id", "version", *KEYS[kind]), first_line=2)
    fields: dict[str, Any] = {BODY[kind]: body}
    for key in KEYS[kind]:
        given = values.get(key, "")
        if key == "expires":
            fields["expires_at"] = _instant(key, given)
        elif key == "active":
            fields["active"] = _yes_or_no(key, given)
        else:
            fields[key] = given
    return Entry(kind, _id("id", values.get("id", "")), _whole("version", values.get("version", ""), 1), fields, path)


def _parted(text):
    """(front matter, body). Where an editor made every line end in CR LF, the front matter shows it, and all are set right."""
    start = re.match(r"---[ \t]*(\r?\n)", text)
    if not start:
        raise Unreadable("Line 1 is not the --- that begins the front matter.")
    if start[1] == "\r\n":
        text = text.replace("\r\n", "\n")
        start = re.match(r"---[ \t]*\n", text)
    end = re.compile(r"^---[ \t]*(?:\n|\Z)", re.MULTILINE).search(text, start.end())
    if not end:
        raise Unreadable("The front matter has no --- at its end.")
    body = text[end.end() :]
    return text[start.end() : end.start()], body.removesuffix("\n")


def _about(content):
    try:
        values = _flat(_text(content).replace("\r\n", "\n"), HEAD_KEYS, first_line=1)
        number = _whole("format", values.get("format", ""), 1)
        if number is None:
            raise Unreadable("format is missing; it says by which rules the files are written.")
        if number != FORMAT:
            raise Unreadable(f"format {number} is from another release; this one reads format {FORMAT}.")
        return About(
            agent=values.get("agent", ""),
            agent_id=_id("agent_id", values.get("agent_id", "")),
            configuration=_whole("configuration", values.get("configuration", ""), 0),
            exported_at=_instant("exported_at", values.get("exported_at", "")),
        )
    except Unreadable as problem:
        raise Unreadable(f"{HEAD}: {problem}") from problem


def _flat(text: str, known: Iterable[str], first_line: int) -> Mapping[str, str]:
    """One key and one value a line, as {key: what was written}. What a value means is for its field to say: a name "No" is
    a name. Raises Unreadable with the line."""
    values: dict[str, str] = {}
    key: str | None = None
    opened = False
    try:
        for event in yaml.parse(text, Loader=LOADER):
            mark = event.start_mark
            line = first_line + (mark.line if mark else 0)
            _refuse_fancy(event, line)
            if isinstance(event, yaml.MappingStartEvent) and key is None and not values and not opened:
                opened = True
                continue
            if isinstance(event, yaml.CollectionStartEvent):
                raise Unreadable(
                    f"Line {line}: one key and one value a line; lists and values inside values are not read."
                )
            if not isinstance(event, yaml.ScalarEvent):
                continue
            if "\0" in event.value:  # spelled "\\0"
                raise Unreadable(f"Line {line} holds a NUL character.")
            if key is None:
                key = event.value
                if key not in known:
                    raise Unreadable(f"Line {line}: there is no field “{_shown(key)}”. Known: {', '.join(known)}.")
                if key in values:
                    raise Unreadable(f"Line {line}: {key} stands twice.")
                continue
            plain = event.style is None and event.value in ("", "~", "null")
            values[key], key = "" if plain else event.value, None
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark.line + first_line if error.problem_mark else first_line
        raise Unreadable(f"Line {at} is not YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise Unreadable(
            f"The front matter holds a character that YAML does not allow: {str(error).splitlines()[0]}."
        ) from error
    if key is not None:
        raise Unreadable(f"Line {first_line}: a value without its key. Each line is “key: value”.")
    return values


def _refuse_fancy(event, line):
    if isinstance(event, yaml.AliasEvent):
        raise Unreadable(
            f"Line {line}: *{event.anchor} leads to another place, which could lead back. Write the value out."
        )
    if getattr(event, "anchor", None):
        raise Unreadable(f"Line {line}: &{event.anchor} marks a place to be led to. Write the values out.")
    if getattr(event, "tag", None) is not None:
        raise Unreadable(f"Line {line}: {_shown(event.tag)} is a tag; values are plain here.")


def _id(key, given):
    if not given:
        return None
    try:
        return str(UUID(given))
    except ValueError as error:
        raise Unreadable(f"{key}: “{_shown(given)}” is not an id. Leave it out for something new.") from error


def _whole(key, given, least):
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 9 and int(given) >= least):
        raise Unreadable(f"{key}: “{_shown(given)}” is not a whole number from {least}.")
    return int(given)


def _yes_or_no(key, given):
    if given.lower() in ("", "true", "yes"):
        return True
    if given.lower() in ("false", "no"):
        return False
    raise Unreadable(f"{key}: “{_shown(given)}” is neither true nor false.")


def _instant(key, given):
    if not given:
        return None
    try:
        at = datetime.fromisoformat(given)
    except ValueError as error:
        raise Unreadable(f"{key}: “{_shown(given)}” is not a time like 2027-01-31T18:00:00+01:00.") from error
    if at.tzinfo is None:
        raise Unreadable(f"{key}: “{_shown(given)}” lacks its time zone, like +01:00 at the end.")
    return at
