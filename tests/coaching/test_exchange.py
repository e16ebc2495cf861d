"""Files of an exported configuration: exact there and back, and refused by file, line or field."""

import io
import stat
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coaching import exchange
from coaching.exchange import About, Entry, Unreadable

ID = "3f0c12ab-5c1e-4d7a-9b7e-2f1f6c0d1a01"
ABOUT = About("Parcel desk", "9b7e0000-5c1e-4d7a-9b7e-2f1f6c0d1a02", 12, datetime(2026, 11, 20, 9, 30, tzinfo=UTC))
HARD = [
    "", "---", "---\n", "\n---\nid: 1\n---\n", "a\r\nb\r\n", "  leading", "trailing  ", "\n\n", "\n", "tab\there",
    "“quotes” 'and' \"these\"", "No", "null", "~", "1.0", "2026-01-01", "key: value", "a #b", "- list", "{}", "[*a]", "&a", "*a",
    "!!str", "| x", "é", "日本語", "🙂", "a\u2028b", "a\x85b", "\ufeffbom", "a\u00a0b", "x" * 9_000, "line one\nline two",
    "line one\n\n  indented\nlast", "ends\n", "one \ntwo", "'", '"', "\\", "\\n", "%", "@", "`", "a:", ":a", "\r", "a\rb",
    "\x7f", "\x07",
]  # fmt: skip
texts = st.one_of(
    st.sampled_from(HARD),
    st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=80),
    st.lists(st.sampled_from([*HARD, "\n", " ", "---", "#", ":", "a"]), max_size=6).map("".join),
)


def memory(summary="Refunds take two days.", text="No approval.", expires_at=None, id=ID, version=3):
    return Entry("memory", id, version, {"summary": summary, "text": text, "expires_at": expires_at})


def procedure(name="Refund", id=ID, version=1, **fields):
    whole = {"name": name, "trigger": "", "active": True, "folder": "", "content": "1. Look."} | fields
    return Entry("procedure", id, version, whole)


def packed(files):
    """A zip of {path: text or bytes}."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return made.getvalue()


def with_head(files):
    return packed({"configuration.yaml": "format: 1\n", **files})


def refusal(files):
    """The one refused file of an archive, as (path, problem)."""
    found = exchange.read(with_head(files))
    [one] = found.refused
    return one.path, one.problem


# --- There and back


@settings(deadline=None, max_examples=400)
@given(texts, texts, texts, texts, st.booleans(), st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))))
@example("---", "\r\n", "", "\n", False, datetime(2027, 1, 31, 17, tzinfo=timezone(timedelta(hours=5, minutes=45))))
def test_whatever_is_written_is_read_back_exactly(one, two, three, body, active, expires_at):
    ids = [str(UUID(int=n)) for n in range(1, 4)]
    entries = [
        memory(one, body, expires_at, id=ids[0]),
        procedure(one, id=ids[1], trigger=two, folder=three, active=active, content=body),
        Entry("prompt", ids[2], 7, {"system_prompt": body}),
    ]

    found = exchange.read(exchange.write(ABOUT, entries))

    assert found.refused == []
    assert found.about == ABOUT
    assert {e.id: (e.kind, e.version, e.fields) for e in found.entries} == {
        e.id: (e.kind, e.version, e.fields) for e in entries
    }


@settings(deadline=None, max_examples=400)
@given(texts)
def test_any_yaml_reader_reads_the_same_text(text):
    """Not only ours: people's tools take a name "No" for the name that it is."""
    [written] = [
        content
        for path, content in files_of(exchange.write(ABOUT, [memory(summary=text)])).items()
        if path.startswith("memories/")
    ]

    assert yaml.safe_load(written.decode().split("\n---\n")[0].removeprefix("---\n"))["summary"] == text


def files_of(raw):
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def test_files_are_readable():
    expires = datetime(2027, 1, 31, 17, tzinfo=UTC)
    folded = procedure(
        "Grüße & Refunds", id=str(UUID(int=2)), folder="Parcels / abroad", trigger="A customer\nasks: when?"
    )

    files = files_of(exchange.write(ABOUT, [memory(expires_at=expires), folded]))

    assert {path: text.decode() for path, text in files.items()} == {
        "configuration.yaml": "format: 1\nagent: Parcel desk\nagent_id: 9b7e0000-5c1e-4d7a-9b7e-2f1f6c0d1a02\n"
        "configuration: 12\nexported_at: 2026-11-20T09:30:00+00:00\n",
        "memories/refunds-take-two-days.md": f"---\nid: {ID}\nversion: 3\nsummary: Refunds take two days.\n"
        "expires: 2027-01-31T17:00:00+00:00\n---\nNo approval.\n",
        "procedures/parcels-abroad/grue-refunds.md": f"---\nid: {UUID(int=2)}\nversion: 1\nname: Grüße & Refunds\n"
        "trigger: |-\n  A customer\n  asks: when?\nactive: true\nfolder: Parcels / abroad\n---\n1. Look.\n",
    }


def test_same_entries_give_the_same_bytes():
    entries = [memory(id=str(UUID(int=n)), summary=f"Fact {n % 3}.") for n in range(1, 9)]

    assert exchange.write(ABOUT, entries) == exchange.write(ABOUT, entries[::-1])


@settings(deadline=None)
@given(st.lists(texts, min_size=1, max_size=12))
def test_names_of_files_are_safe_and_unique_on_every_system(summaries):
    entries = [memory(text, id=str(UUID(int=n))) for n, text in enumerate(summaries)]

    paths = list(exchange.names(entries).values())

    assert len({path.lower() for path in paths}) == len(entries)
    for path in paths:
        folder, _, name = path.rpartition("/")
        assert folder == "memories"
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
        assert name.partition(".")[0] not in {"con", "nul", "aux", "prn", "com1", "lpt1", ""}
        assert len(name) < 110


def test_names_like_devices_of_windows_are_avoided():
    assert [exchange.slug(name, "memory") for name in ("CON", "com1", "console", "日本", "")] == [
        "memory-con", "memory-com1", "console", "memory", "memory",
    ]  # fmt: skip


# --- What people and their editors make of it


def test_only_the_front_matter_counts_not_the_name_of_the_file():
    files = files_of(exchange.write(ABOUT, [procedure(folder="Refunds")]))
    files["procedures/elsewhere/renamed.md"] = files.pop("procedures/refunds/refund.md")

    [entry] = exchange.read(packed(files)).entries

    assert (entry.id, entry.fields["folder"], entry.path) == (ID, "Refunds", "procedures/elsewhere/renamed.md")


def test_file_saved_with_other_line_ends_and_a_mark_is_the_same():
    files = files_of(exchange.write(ABOUT, [procedure(content="1. Look.\n2. Answer.", trigger="When\nasked")]))
    saved = {path: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n") for path, text in files.items()}

    found = exchange.read(packed(saved))

    assert (found.about, found.entries[0].fields) == (
        ABOUT,
        procedure(content="1. Look.\n2. Answer.", trigger="When\nasked").fields,
    )


def test_one_folder_around_everything_and_what_systems_leave_behind_do_no_harm():
    files = files_of(exchange.write(ABOUT, [memory()]))
    around = {f"my-agent/{path}": text for path, text in files.items()}
    around |= {"__MACOSX/my-agent/._prompt.md": b"\0", "my-agent/.DS_Store": b"\0", "my-agent/memories/": b""}

    found = exchange.read(packed(around))

    assert (found.about, found.refused, [e.path for e in found.entries]) == (
        ABOUT,
        [],
        ["memories/refunds-take-two-days.md"],
    )


def test_something_new_needs_no_more_than_what_it_says():
    found = exchange.read(with_head({"memories/a.md": "---\nsummary: Shops open at nine.\n---\n", "procedures/b.md":
        "---\nname: No\ntrigger:\n---\n1. Look."}))  # fmt: skip

    assert found.about == About()
    assert [(e.id, e.version, e.fields) for e in found.entries] == [
        (None, None, {"summary": "Shops open at nine.", "text": "", "expires_at": None}),
        (None, None, {"name": "No", "trigger": "", "active": True, "folder": "", "content": "1. Look."}),
    ]


# --- Refused


@pytest.mark.parametrize(
    ("front", "problem"),
    [
        ("summary: &a [*a]\n", "Line 2: &a marks a place to be led to. Write the values out."),
        ("summary: *a\n", "Line 2: *a leads to another place, which could lead back. Write the value out."),
        ("summary: A.\nsummary: B.\n", "Line 3: summary stands twice."),
        ("summary: !!python/name:os.x y\n", "Line 2: tag:yaml.org,2002:python/name:os.x is a tag; values are plain here."),
        ("summary: [a]\n", "Line 2: one key and one value a line; lists and values inside values are not read."),
        ("id: 7\n", "id: “7” is not an id. Leave it out for something new."),
        ("version: -1\n", "version: “-1” is not a whole number from 1."),
        ("expires: tomorrow\n", "expires: “tomorrow” is not a time like 2027-01-31T18:00:00+01:00."),
        ("expires: 2027-01-31T18:00\n", "expires: “2027-01-31T18:00” lacks its time zone, like +01:00 at the end."),
        ("summary: A.\ntitle: B\n", "Line 3: there is no field “title”. Known: id, version, summary, expires."),
        ("summary: 'A.\n", "Line 3 is not YAML: found unexpected end of stream."),
        ("- a\n", "Line 2: one key and one value a line; lists and values inside values are not read."),
        ("just words\n", "Line 2: there is no field “just words”. Known: id, version, summary, expires."),
    ],
)  # fmt: skip
def test_front_matter_is_refused_by_its_line_or_field(front, problem):
    assert refusal({"memories/a.md": f"---\n{front}---\nText."}) == ("memories/a.md", problem)


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        ("memories/a.md", "No front matter.", "Line 1 is not the --- that begins the front matter."),
        ("memories/a.md", "---\nsummary: A.\n", "The front matter has no --- at its end."),
        ("memories/a.md", b"---\nsummary: A.\n---\ncaf\xe9", "Line 4 is not UTF-8. Save the file as UTF-8."),
        ("memories/a.md", "---\nsummary: A.\n---\n\0", "Line 4 holds a NUL character."),
        ("memories/a.md", '---\nid:\nsummary: "A\\0."\n---\n', "Line 3 holds a NUL character."),
        ("procedures/a.md", '---\nname: A\nfolder: "\\x00"\n---\n', "Line 3 holds a NUL character."),
        ("procedures/a.md", "---\nname: A\nactive: perhaps\n---\n1.", "active: “perhaps” is neither true nor false."),
        ("notes.txt", "x", "There is no place for it: we read configuration.yaml, prompt.md, procedures/….md and memories/….md."),
    ],
)  # fmt: skip
def test_file_is_refused_and_the_others_are_read(path, content, problem):
    files = {path: content, "memories/good.md": f"---\nid: {ID}\nsummary: Good.\n---\n"}

    assert refusal(files) == (path, problem)
    assert [entry.id for entry in exchange.read(with_head(files)).entries] == [ID]


def test_refused_file_says_which_ids_stand_in_it():
    found = exchange.read(with_head({"memories/a.md": f"---\nid: {ID}\nid: {ID}\n---\n"}))

    assert (found.refused[0].kind, set(found.refused[0].ids)) == ("memory", {ID})


def encrypted():
    raw = bytearray(with_head({}))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + at] |= 1
    return bytes(raw)


def linked():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("configuration.yaml", "format: 1\n")
        info = zipfile.ZipInfo("memories/a.md")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return made.getvalue()


def bomb():
    """Less than a megabyte that would be a hundred."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("configuration.yaml", "format: 1\n")
        for n in range(100):
            archive.writestr(f"memories/{n}.md", "x" * exchange.LARGEST_FILE)
    return made.getvalue()


def twice():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("configuration.yaml", "format: 1\n")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("configuration.yaml", "format: 1\n")
    return made.getvalue()


def head(text):
    return lambda: packed({"configuration.yaml": text})


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (lambda: b"", "This is not a zip archive, or it was cut off on the way."),
        (lambda: b"%PDF-1.7", "This is not a zip archive, or it was cut off on the way."),
        (lambda: exchange.write(ABOUT, [memory()])[:-30], "This is not a zip archive, or it was cut off on the way."),
        (lambda: b"x" * (exchange.LARGEST + 1), "The file is larger than 10 MB."),
        (lambda: packed({"prompt.md": "x"}), "There is no configuration.yaml in it, so it is not an exported configuration."),
        (lambda: with_head({"../a.md": "x"}), "../a.md leads out of the archive."),
        (lambda: with_head({"/etc/a.md": "x"}), "/etc/a.md is not a path inside the archive."),
        (lambda: with_head({"memories\\a.md": "x"}), "memories\\a.md is not a path inside the archive."),
        (lambda: with_head({"C:/a.md": "x"}), "C:/a.md is not a path inside the archive."),
        (encrypted, "configuration.yaml is encrypted. Export it without a password."),
        (linked, "memories/a.md is a link, not a file."),
        (bomb, "Unpacked, the files are larger than 50 MB."),
        (twice, "configuration.yaml is in the archive twice."),
        (lambda: with_head({"memories/a.md": "x" * (exchange.LARGEST_FILE + 1)}), "memories/a.md is larger than 1 MB."),
        (lambda: with_head({f"memories/{n}.md": "" for n in range(20_000)}), "There are more than 20,000 files in it."),
        (head("agent: A\n"), "configuration.yaml: format is missing; it says by which rules the files are written."),
        (head("format: 2\n"), "configuration.yaml: format 2 is from another release; this one reads format 1."),
        (
            head("format: 1\nagent: &a [*a]\n"),
            "configuration.yaml: Line 2: &a marks a place to be led to. Write the values out.",
        ),
    ],
)  # fmt: skip
def test_archive_is_refused_as_a_whole(raw, problem):
    with pytest.raises(Unreadable) as refused:
        exchange.read(raw())

    assert str(refused.value) == problem


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_damaged_archive_is_refused_in_words(noise, at):
    raw = bytearray(exchange.write(ABOUT, [memory(), procedure(id=str(UUID(int=5)))]))
    raw[at : at + len(noise)] = noise

    try:
        files = exchange.read(bytes(raw))
    except Unreadable as refused:  # nothing else is raised
        said = [str(refused)]
    else:
        said = [one.problem for one in files.refused]
        assert len(files.entries) + len(said) == 2

    assert [sentence for sentence in said if not sentence.endswith(".")] == []
