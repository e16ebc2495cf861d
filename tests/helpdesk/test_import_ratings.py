"""Ratings from files, good and bad."""

import io
import tracemalloc

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from agents.models import Agent
from helpdesk import actions, files
from helpdesk.management import progress
from helpdesk.models import Conversation, Rating, RatingDay
from tests import factories

HEADER = "external_id,agent,score,rated_at\n"
GOOD = "1,Ana,5,2026-03-01T10:00:00Z\n"


class Ran:
    """What a command printed and how it ended."""

    def __init__(self, name, *args, **options):
        out, err = io.StringIO(), io.StringIO()
        self.code = 0
        try:
            call_command(name, *args, stdout=out, stderr=err, **options)
        except SystemExit as end:
            self.code = end.code
        except CommandError as error:
            self.code = error.returncode
            err.write(f"{error}\n")
        self.out, self.err = out.getvalue().splitlines(), err.getvalue().splitlines()

    @property
    def counts(self):
        rows = (line.split(":")[0].split() for line in self.out if ":" in line and line.startswith("  "))
        return {outcome: int(count.replace(",", "")) for count, outcome in rows}


@pytest.fixture
def run(workspace, tmp_path):
    def run(content, *args, **options):
        path = tmp_path / "ratings.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return Ran("import_ratings", path, *args, workspace=workspace.slug, **options)

    return run


def test_rows_land_and_the_report_says_what_became_of_each(run, workspace):
    factories.human(workspace, name="Ana")
    ran = run(
        HEADER
        + GOOD
        + "1,Ana,4,2026-03-02T10:00:00Z\n"  # later
        + "1,Ana,3,2026-02-01T10:00:00Z\n"  # earlier
        + GOOD
        + "2,Ben,5,2026-03-01T10:00:00Z\n"
        + "3,Ana,banana,2026-03-01T10:00:00Z\n"
    )

    assert ran.code == 1
    assert ran.out[0] == "6 rows read."
    assert ran.counts == {"accepted": 2, "updated": 1, "unchanged": 1, "superseded": 1, "refused": 1}
    assert ran.out[-1] == "1 new agent: Ben."
    assert ran.err == ['line 7: value: "banana" is not on the scale stars5 (1, 2, 3, 4, 5).']
    assert list(actions.check_days(workspace)) == []


def test_repeating_changes_nothing(run):
    content = HEADER + GOOD + "2,Ben,4,2026-03-01\n"
    run(content)
    before = list(Rating.objects.order_by("pk").values())

    ran = run(content)

    assert (ran.code, ran.counts) == (0, {"accepted": 0, "unchanged": 2})
    assert list(Rating.objects.order_by("pk").values()) == before
    assert Agent.objects.count() == 2


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + (HEADER + GOOD).encode(),
        (HEADER + GOOD).encode("utf-16"),
        (HEADER + GOOD).replace(",", ";").encode(),
        (HEADER + GOOD).replace(",", "\t").encode(),
        (HEADER + GOOD).replace("\n", "\r\n").encode(),
        (HEADER.upper() + "\n" + GOOD + "\n").encode(),
        (HEADER + '"1","Ana","5","2026-03-01T10:00:00Z"').encode(),
    ],
    ids=["mark", "utf-16", "semicolons", "tabs", "windows", "capitals and blank lines", "quotes"],
)
def test_files_as_spreadsheets_write_them_are_read(run, content):
    ran = run(content)

    assert (ran.code, ran.counts) == (0, {"accepted": 1})
    assert Rating.objects.get().score == 100


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "The file is empty."),
        (HEADER, "The file has a header and no rows."),
        (
            "id,agent,score,rated_at\n" + GOOD,
            "The file lacks the column external_id (or conversation_id). Its header has: id",
        ),
        ("a,b\n1,2\n", "columns external_id (or conversation_id), agent, value (or score), rated_at (or closed_at)."),
        ("external_id,agent,agent,score,rated_at\n", "The column agent stands twice in the header."),
        (b"\xff\xd8\xff\xe0,a\n1,2\n", "The header cannot be read."),
        (b"a\0b,c\n", "The header cannot be read."),
    ],
)
def test_file_of_which_nothing_can_be_read_ends_with_two(run, content, why):
    ran = run(content)

    assert ran.code == 2
    assert why in ran.err[-1]
    assert Rating.objects.count() == 0


def test_missing_file_and_workspace_end_with_two(tmp_path, workspace):
    missing = Ran("import_ratings", tmp_path / "none.csv", workspace=workspace.slug)
    elsewhere = Ran("import_ratings", tmp_path / "none.csv", workspace="nowhere")

    assert (missing.code, missing.err) == (2, [f"{tmp_path}/none.csv cannot be read: No such file or directory."])
    assert (elsewhere.code, elsewhere.err) == (2, ["There is no workspace nowhere."])


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("1,Ana,,2026-03-01", "value: The value is blank."),
        ("1,Ana,good grief,2026-03-01", 'value: "good grief" is not on the scale stars5 (1, 2, 3, 4, 5).'),
        (",Ana,5,2026-03-01", "external_id: It is blank."),
        ("1,,5,2026-03-01", "agent: It is blank."),
        ("1,\u3164,5,2026-03-01", "agent: Nothing of this name can be seen."),
        ('1,"An\na",5,2026-03-01', "agent: A name has no control characters in it."),
        ("1,Ana,5,", "rated_at: The time is blank."),
        (
            "1,Ana,5,1772359200",
            "rated_at: 1772359200 looks like seconds; times are in milliseconds since 1970 (1772359200000).",
        ),
        ("1,Ana,5,2999-01-01", "rated_at: 2999-01-01 is more than a day ahead."),
        ("1,Ana,5,1999-01-01", "rated_at: 1999-01-01 is before the year 2000."),
        ("1,Ana,5", "It has 3 columns, the header has 4."),
        ("1,Ana,5,2026-03-01,x", "It has 5 columns, the header has 4."),
        ("1,A\0na,5,2026-03-01", "agent: It holds a NUL character."),
        ("1,Ana,5,2026-03-01\0", "rated_at: "),
        (b"1,An\xe4,5,2026-03-01", "agent: It holds half a character (a lone surrogate, or bytes that are not UTF-8)."),
        (f"1,{'A' * 301},5,2026-03-01", "agent: It is longer than 300 characters."),
        (f"{'1' * 301},Ana,5,2026-03-01", "external_id: It is longer than 300 characters."),
        (
            f"1,Ana,5,2026-03-01{'x' * 200_000}",
            "It is not CSV: field larger than field limit (131072).",
        ),
        (f"1,Ana,5,2026-03-01{',' * 1_100_000}", "The line is longer than 1,000,000 characters."),
    ],
)
def test_bad_row_is_named_and_the_others_land(run, row, why):
    row = row if isinstance(row, bytes) else row.encode()

    ran = run(HEADER.encode() + b"8,Ana,1,2026-03-01\n" + row + b"\n9,Ana,3,2026-03-01\n")

    assert ran.code == 1
    assert ran.err[0].startswith(f"line 3: {why}")
    assert set(Conversation.objects.values_list("external_id", flat=True)) == {"8", "9"}
    assert RatingDay.objects.get().n == 2


def test_mixed_dates_are_read_one_by_one(run):
    ran = run(
        HEADER
        + "1,Ana,5,2026-03-01\n2,Ana,5,03/04/2026\n3,Ana,5,1772359200000\n4,Ana,5,2026-03-01T10:00:00+02:00\n5,Ana,4,1.3.2026\n"
    )

    assert ran.counts == {"accepted": 3, "refused": 2}
    assert [line.split(":")[0] for line in ran.err] == ["line 3", "line 6"]


def test_lines_are_counted_through_quoted_line_breaks(run):
    ran = run('external_id,agent,score,rated_at,remark\n1,Ana,5,2026-03-01,"two\nlines"\n2,Ana,x,2026-03-01,\n')

    assert ran.err == ['line 4: value: "x" is not on the scale stars5 (1, 2, 3, 4, 5).']


def test_open_quote_costs_its_lines_and_no_more(run):
    rows = "".join(f"{n},Ana,5,2026-03-01\n" for n in range(10, 20_000))

    ran = run(HEADER + '1,"Ana,5,2026-03-01\n' + rows)

    assert ran.code == 1
    assert "Lines 2 to" in ran.err[0]
    assert ran.counts["accepted"] > 10_000


def test_list_of_refusals_is_short(run):
    ran = run(HEADER + "".join(f"{n},Ana,x,2026-03-01\n" for n in range(50)))

    assert ran.code == 2
    assert len(ran.err) == 21
    assert ran.err[-1] == "… and 30 more refused."


def test_unknown_agents_are_refused_on_request(run, workspace):
    factories.human(workspace, name="Ana")

    ran = run(HEADER + GOOD + "2,Ben,5,2026-03-01\n", no_create=True)

    assert (ran.code, ran.err) == (1, ["line 3: agent: No agent is called Ben."])
    assert [agent.name for agent in Agent.objects.all()] == ["Ana"]


def test_id_from_another_workspace_is_refused(run, stranger):
    foreign = factories.human(stranger.workspace)

    ran = run(HEADER + GOOD + f"2,{foreign.pk},5,2026-03-01\n")

    assert ran.err == [f"line 3: agent: No agent is called {foreign.pk}."]


def test_columns_can_be_named_otherwise(run):
    ran = run(
        "Answer ID,Wer,Stars,closed_at,Kanal,conversation_id\n7,Ana,4,2026-03-01T10:00:00Z,mail,3\n",
        map=["external_id=answer id", "agent=Wer", "score=Stars", "channel=Kanal"],
    )

    assert ran.code == 0
    conversation = Conversation.objects.get()
    assert (conversation.external_id, conversation.channel) == ("7", "mail")
    assert conversation.closed_at == Rating.objects.get().rated_at


@pytest.mark.parametrize("pair", ["external_id", "colour=red", "agent="])
def test_mapping_that_means_nothing_ends_with_two(run, pair):
    assert run(HEADER + GOOD, map=[pair]).code == 2


def test_mapped_column_that_is_not_there_is_named(run):
    ran = run(HEADER + GOOD, map=["channel=Kanal"])

    assert ran.code == 2
    assert "lacks the column kanal" in ran.err[-1]


def test_scale_source_team_and_closing_have_columns(run):
    ran = run(
        "external_id,agent,value,rated_at,scale,source,team,closed_at\n"
        "1,Ana,2,2026-03-02T10:00:00Z,hubspot012,chat,Night,2026-03-01T10:00:00Z\n"
        "1,Ana,bad,2026-03-02T10:00:00Z,binary,,Day,\n"
        "2,Ana,4,2026-03-02T10:00:00Z,,,,\n",
        source="mail",
    )

    assert ran.counts == {"accepted": 3}
    told = Rating.objects.order_by("pk").values_list("conversation__source", "scale", "score_hundredths")
    assert list(told) == [("chat", "hubspot012", 10_000), ("mail", "binary", 0), ("mail", "stars5", 7_500)]
    assert Agent.objects.get().team.name == "Night"
    assert Conversation.objects.get(source="chat").closed_at.isoformat() == "2026-03-01T10:00:00+00:00"


@pytest.mark.parametrize("values", ["12", "1367"])
def test_scale_that_the_values_do_not_tell_is_asked_for(run, values):
    """Also where one value lies off an otherwise likely scale: the file may be on one that is not known here."""
    ran = run(HEADER + "".join(f"{n},Ana,{value},2026-03-01\n" for n, value in enumerate(values)))

    assert (ran.code, Rating.objects.count()) == (2, 0)
    assert ran.err[0] == "line 2: scale: The values of the file do not tell their scale; name it in a column scale."


def test_names_of_helpdesks_belong_to_connections(run):
    assert run(HEADER + GOOD, source="zendesk").code == 2


def test_memory_does_not_grow_with_the_file(tmp_path):
    """Reading, not writing: 20 MB of rows, and a line of 20 MB."""
    path = tmp_path / "large.csv"
    with path.open("w") as file:
        file.write(HEADER)
        for n in range(250_000):
            file.write(f"{n},Ana,5,2026-03-01T10:00:00Z,{'x' * 40}\n")
        file.write("y" * 20_000_000)

    tracemalloc.start()
    with files.RatingsCsv(path, {}) as table:
        count = sum(1 for _ in table.rows())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == 250_001
    assert peak < 12_000_000


def test_terminal_shows_a_bar_and_a_file_does_not():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for out, shown in ((Terminal(), "[###############               ]  50%"), (io.StringIO(), "")):
        bar = progress.Bar(OutputWrapper(out), total=200)
        bar.at(100)
        bar.clear()
        assert out.getvalue().replace("\r", "").strip() == shown


def test_rebuild_days_checks_and_mends(workspace, run):
    run(HEADER + GOOD)
    assert Ran("rebuild_days", check=True).code == 0
    RatingDay.objects.update(n=4)

    found = Ran("rebuild_days", check=True)
    mended = Ran("rebuild_days", workspace=workspace.slug)

    assert found.code == 1
    assert "the table says (4, 10000, 100000000), the ratings (1, 10000, 100000000)" in found.err[0]
    assert (mended.code, mended.out) == (0, [f"{workspace.slug}: 1 days mended."])
    assert Ran("rebuild_days", check=True).code == 0


def test_rebuild_days_moves_a_workspace_to_another_clock_with_its_days(workspace, run):
    run(HEADER + "1,Ana,5,2026-03-01T23:30:00Z\n2,Ana,5,2026-03-01T10:00:00Z\n")

    moved = Ran("rebuild_days", workspace=workspace.slug, time_zone="Europe/Berlin")

    assert (moved.code, moved.out) == (0, [f"{workspace.slug}: lives by Europe/Berlin instead of UTC; 2 days changed."])
    workspace.refresh_from_db()
    assert workspace.time_zone == "Europe/Berlin"
    assert [f"{day}" for day in RatingDay.objects.order_by("day").values_list("day", flat=True)] == [
        "2026-03-01",
        "2026-03-02",
    ]
    assert list(actions.check_days(workspace)) == []


@pytest.mark.parametrize(
    "options",
    [{"time_zone": "Europe/Berlin"}, {"time_zone": "Mars/Base"}, {"time_zone": "UTC", "check": True}],
    ids=["no workspace", "no zone", "check"],
)
def test_a_clock_that_cannot_be_changed_to_ends_with_two(workspace, options):
    named = {} if options["time_zone"] == "Europe/Berlin" else {"workspace": workspace.slug}

    refused = Ran("rebuild_days", **named, **options)

    workspace.refresh_from_db()
    assert (refused.code, len(refused.err), workspace.time_zone) == (2, 1, "UTC")
