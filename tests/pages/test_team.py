"""The Team page and the drawer: who sees what, in how many queries, and how notes are written there."""

import re
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents.models import Member, Team
from coaching.actions import flags, notes
from coaching.models import Flag, FlagPolicy, Note, Sample
from helpdesk.actions import record_ratings
from helpdesk.models import RatingDay
from tests import factories
from tests.factories.ratings import days_until, good_or_bad, steady

EVIDENCE = {
    "weeks": 5,
    "peers": "team",
    "rarity": 150,
    "ratings": 38,
    "observed": 83.4,
    "expected": 91.2,
    "own_level": 91.5,
    "past_weeks": 21,
    "weeks_rated": 5,
    "weeks_below": 4,
    "worst_start": None,
    "holds_without_worst": True,
}
PARTIAL = {"HX-Request-Type": "partial"}


def rate(agent, *, score=90, n=2, days=112):
    """The daily table of an agent who got `n` ratings of `score` on each of the last `days` days."""
    today = timezone.localdate()
    hundredths = score * 100
    RatingDay.objects.bulk_create(
        RatingDay(
            workspace_id=agent.workspace_id,
            agent=agent,
            day=today - timedelta(days=d),
            n=n,
            sum_hundredths=n * hundredths,
            sum_squares=n * hundredths**2,
        )
        for d in range(days)
    )


def flag(agent, **found):
    """An automatic flag on the last five weeks of an agent."""
    today = timezone.localdate()
    since = today - timedelta(days=34)
    return flags.raise_flag(agent, EVIDENCE | {"day": today.isoformat(), "since": since.isoformat()} | found)


def sample(agent, **fields):
    conversation = factories.conversation(agent)
    defaults = {"value": "1", "scale": "stars5", "score_hundredths": 0, "closed_at": conversation.closed_at}
    return Sample.objects.create(
        workspace_id=agent.workspace_id, agent=agent, conversation=conversation, **defaults | fields
    )


def names(response):
    return re.findall(r'class="who"[^>]*>([^<]*)<', response.content.decode())


def without_tokens(response):
    """The answer without what is new in it every time."""
    return re.sub(r'(csrfmiddlewaretoken" value)="[^"]*"', r"\1", response.content.decode())


def queries(client, path):
    with CaptureQueriesContext(connection) as context:
        assert client.get(path).status_code == 200
    return len(context)


# --- Who sees what ----------------------------------------------------------------------------------------------------


def test_anonymous_is_asked_to_sign_in_and_comes_back(agent):
    response = Client().get(f"/team?agent={agent.pk}")

    assert response.status_code == 302
    assert response.url == f"/sign-in?next=/team%3Fagent%3D{agent.pk}"


def test_words_typed_into_a_session_that_had_ended_are_shown_once_more(agent):
    path, typed = f"/team/{agent.pk}/notes", {"body": "Ask <b>why</b>.", "id": "1", "password": "opensesame"}

    answer = Client().post(path, typed, headers={"Referer": f"http://testserver/team/{agent.pk}"})
    by_script = Client().post(path, typed, headers=PARTIAL)

    assert (answer.status_code, by_script.url) == (403, "/sign-in?next=/")
    page = answer.content.decode()
    assert ">Ask &lt;b&gt;why&lt;/b&gt;.</textarea>" in page
    assert f'href="/sign-in?next=/team/{agent.pk}"' in page
    assert "opensesame" not in page
    assert "no-store" in answer["Cache-Control"]


def test_form_of_somebody_signed_out_leads_back_to_the_page_it_stood_on(agent):
    path = f"/team/{agent.pk}/notes"

    known = Client().post(
        path, {"share": "on"}, headers={"Referer": f"http://testserver/team/{agent.pk}?sample=1#note"}
    )
    others = [
        Client().post(path, {"share": "on"}, headers={"Referer": stood} if stood else {})
        for stood in (None, "https://evil.example/team", "http://testserver.evil.example/team")
    ]

    assert known.url == f"/sign-in?next=/team/{agent.pk}%3Fsample%3D1"
    assert {response.url for response in others} == {"/sign-in?next=/"}


def test_leader_sees_everybody_with_the_ratings_behind_each_number(owner, signed_in):
    sarah = factories.human(owner.workspace, name="Sarah")
    factories.human(owner.workspace, name="Joon")
    rate(sarah, score=84, n=1)

    page = signed_in(owner).get("/team")

    assert names(page) == ["Sarah", "Joon"]
    assert page.context["page"].rows[0].csat.mean == 84
    assert "28 ratings" in page.content.decode()


def test_flagged_agent_stands_first_with_the_claim(owner, signed_in):
    steady, falling = (factories.human(owner.workspace, name=name) for name in ("Ann", "Zoe"))
    rate(steady)
    rate(falling)
    flag(falling)

    page = signed_in(owner).get("/team")

    assert names(page) == ["Zoe", "Ann"]
    text = page.content.decode()
    assert "1 flagged" in text
    assert "Flagged · Auto" in text
    assert "Down 8 points in 5 weeks against what was expected; holds without the worst week" in text


def test_linked_member_sees_own_row_and_nobody_else(linked_member, signed_in):
    other = factories.human(linked_member.workspace, name="Somebody else")
    for one in (other, linked_member.agent):
        rate(one)
        flag(one)

    page = signed_in(linked_member).get("/team")

    assert names(page) == [linked_member.agent.name]
    assert b"Somebody else" not in page.content
    assert b"lagged" not in page.content


def test_linked_member_reads_their_numbers_and_not_what_leaders_say_of_a_flag(linked_member, signed_in):
    owner = factories.owner(linked_member.workspace)
    rate(linked_member.agent)
    flags.dismiss(flag(linked_member.agent), by=owner, reason="Knows about it already.")
    flags.raise_manual(linked_member.agent, by=owner, reason="Three complaints by phone.")

    text = signed_in(linked_member).get(f"/team/{linked_member.agent.pk}").content.decode()

    assert "90.0 %" in text
    for hidden in ("lagged", "complaints", "already", "What was it"):
        assert hidden not in text


def test_unlinked_member_sees_totals_and_what_to_ask_for(unlinked_member, signed_in):
    workspace = unlinked_member.workspace
    big, small = (Team.objects.create(workspace=workspace, name=name) for name in ("Big", "Small"))
    for team, size in ((big, 4), (small, 1)):
        for _ in range(size):
            rate(factories.human(workspace, team=team.name), score=80)

    page = signed_in(unlinked_member).get("/team")

    assert names(page) == []
    totals = {total.name: (total.csat.n, total.too_small) for total in page.context["page"].totals}
    assert totals["Big"] == (4 * 2 * 28, False)
    assert totals["Small"][1] is True
    assert "An owner or admin can link it" in page.content.decode()


def test_person_without_workspace_is_told_so(db, signed_in, owner):
    member = factories.member(factories.workspace())
    Member.objects.filter(pk=member.pk).update(left_at=timezone.now())

    page = signed_in(member).get("/team")

    assert page.status_code == 404
    assert "You are not in any workspace" in page.content.decode()


@pytest.mark.parametrize("address", ["/team/{}", "/team?agent={}"])
def test_agent_one_may_not_see_is_not_there(address, agent, stranger, linked_member, unlinked_member, signed_in):
    nowhere = "00000000-0000-4000-8000-000000000000"
    for person in (stranger, linked_member, unlinked_member):
        client = signed_in(person)
        hidden, absent = client.get(address.format(agent.pk)), client.get(address.format(nowhere))
        assert hidden.status_code == absent.status_code == 404
        assert hidden.content == absent.content


@pytest.mark.parametrize("bad", ["no-uuid", "", "%00", "1"])
def test_agent_that_is_no_id_is_not_there(bad, owner, signed_in):
    assert signed_in(owner).get(f"/team?agent={bad}").status_code == 404


def test_linked_member_reads_shared_notes_and_no_hint_of_private_ones(linked_member, signed_in):
    owner = factories.owner(linked_member.workspace)
    notes.write(linked_member.agent, by=owner, body="Well done on the outage.", shared_with_agent=True)
    client = signed_in(linked_member)
    before = without_tokens(client.get(f"/team/{linked_member.agent.pk}"))

    notes.write(
        linked_member.agent, by=owner, body="Thinking of a move.", follow_up_at=timezone.now() + timedelta(days=1)
    )

    assert "Well done on the outage." in before
    assert without_tokens(client.get(f"/team/{linked_member.agent.pk}")) == before


# --- Sort, filter, search ---------------------------------------------------------------------------------------------


@pytest.fixture
def three(owner):
    made = []
    for name, score in (("Ann", 70), ("Ben", 95), ("Cleo", 80)):
        person = factories.human(owner.workspace, name=name)
        rate(person, score=score)
        made.append(person)
    return made


@pytest.mark.parametrize(
    ("sort", "order", "aria"),
    [
        ("", ["Ann", "Cleo", "Ben"], ("Status", "ascending")),
        ("?sort=score", ["Ann", "Cleo", "Ben"], ("CSAT, 4 weeks", "ascending")),
        ("?sort=-score", ["Ben", "Cleo", "Ann"], ("CSAT, 4 weeks", "descending")),
        ("?sort=-name", ["Cleo", "Ben", "Ann"], ("Agent", "descending")),
        ("?sort=anything", ["Ann", "Cleo", "Ben"], ("Status", "ascending")),
    ],
)
def test_sort_orders_rows_and_says_so(sort, order, aria, three, owner, signed_in):
    page = signed_in(owner).get(f"/team{sort}")

    assert names(page) == order
    assert [(c.label, c.aria_sort) for c in page.context["page"].columns if c.aria_sort] == [aria]


def test_unknown_numbers_stay_last_in_both_directions(three, owner, signed_in):
    factories.human(owner.workspace, name="New")

    assert names(signed_in(owner).get("/team?sort=score"))[-1] == "New"
    assert names(signed_in(owner).get("/team?sort=-score"))[-1] == "New"


def test_filters_narrow_and_keep_each_other(three, owner, signed_in):
    billing = Team.objects.create(workspace=owner.workspace, name="Billing")
    bot = factories.ai_agent(owner.workspace, name="Anton", team=billing.name)
    flag(bot)
    client = signed_in(owner)

    assert names(client.get("/team?q=an")) == ["Anton", "Ann"]
    assert names(client.get("/team?q=AN&kind=human")) == ["Ann"]
    assert names(client.get(f"/team?team={billing.pk}")) == ["Anton"]
    assert names(client.get("/team?flagged=1")) == ["Anton"]
    page = client.get("/team?q=an&kind=ai")
    assert page.context["page"].columns[1].query == "?q=an&kind=ai&sort=score"


def test_nothing_found_says_why_and_what_next(three, owner, signed_in):
    text = signed_in(owner).get("/team?q=%3Cb%3Exyz").content.decode()

    assert "No agent fits" in text
    assert "&lt;b&gt;xyz" in text
    assert "Show all agents" in text


def test_team_of_another_workspace_finds_nothing(three, owner, stranger, signed_in):
    theirs = Team.objects.create(workspace=stranger.workspace, name="Theirs")

    assert signed_in(owner).get(f"/team?team={theirs.pk}").context["page"].n_found == 0


@pytest.mark.parametrize("query", ["team=x", "page=-1", "page=99999999999", "team=9" * 40, "q=%00", "kind=both"])
def test_senseless_questions_are_taken_as_not_asked(query, three, owner, signed_in):
    assert names(signed_in(owner).get(f"/team?{query}")) == ["Ann", "Cleo", "Ben"]


def test_empty_workspace_says_how_agents_appear(owner, signed_in):
    text = signed_in(owner).get("/team").content.decode()

    assert "No agents yet" in text
    assert "on track" not in text


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "No ratings in 4 weeks"),
        (
            6,
            "Too few to say. At 3 ratings a week even a 30-point fall is found only two times in three within a quarter",
        ),
        (10, "At 3 ratings a week even a 30-point fall is found only two times in three within a quarter"),
        (14, ""),
    ],
)
def test_thin_data_says_what_it_cannot_see(n, words, owner, signed_in):
    person = factories.human(owner.workspace)
    rate(person, n=1, days=n)

    (row,) = signed_in(owner).get("/team").context["page"].rows

    assert row.words == words
    assert row.csat.enough == (n >= 8)


@pytest.mark.parametrize(
    ("sensitivity", "words"),
    [
        ("early", "only three times in four"),
        ("balanced", "only two times in three"),
        ("cautious", "not even every second time"),
    ],
)
def test_what_cannot_be_seen_follows_the_sensitivity(sensitivity, words, owner, signed_in):
    FlagPolicy.objects.create(workspace=owner.workspace, sensitivity=sensitivity)
    factories.human(owner.workspace)

    (row,) = signed_in(owner).get("/team").context["page"].rows

    assert row.cannot_see == f"At 3 ratings a week even a 30-point fall is found {words} within a quarter"


def facts(response):
    """The line under the heading, as text."""
    line = re.search(r'<p class="facts-line">(.*?)</p>', response.content.decode(), re.DOTALL).group(1)
    return " ".join(re.sub(r"<[^>]+>", " ", line).split()).removesuffix(" · looking …")


def test_header_says_all_on_track_only_of_those_it_can_see(three, owner, signed_in):
    client = signed_in(owner)
    everybody = facts(client.get("/team"))
    newcomer = factories.human(owner.workspace, name="New")
    with_newcomer = facts(client.get("/team"))
    flag(newcomer)

    assert everybody == "all on track · 3 agents"
    assert with_newcomer == "all on track · 1 with too few ratings to say · 4 agents"
    assert facts(client.get("/team")) == "1 flagged · 4 agents"


def test_header_does_not_praise_where_nothing_can_be_seen(owner, signed_in):
    factories.human(owner.workspace)

    assert facts(signed_in(owner).get("/team")) == "all with too few ratings to say · 1 agent"


def test_header_does_not_praise_where_nothing_looks_for_falls(three, owner, signed_in):
    FlagPolicy.objects.create(workspace=owner.workspace, automatic=False)

    assert facts(signed_in(owner).get("/team")) == "nobody flagged · 3 agents · automatic flags are off"


def test_too_few_ratings_is_a_filter(three, owner, signed_in):
    thin = factories.human(owner.workspace, name="New")
    rate(thin, n=1, days=13)
    flagged = factories.human(owner.workspace, name="Also new")
    flag(flagged)

    assert names(signed_in(owner).get("/team?thin=1")) == ["New"]


def test_cause_is_a_filter_where_an_open_flag_has_one(three, owner, signed_in):
    client = signed_in(owner)
    ann, ben, cleo = three
    flags.set_cause(flag(ann), by=owner, cause="product")
    flags.set_cause(flag(ben), by=owner, cause="wait")
    flag(cleo)

    page = client.get("/team?cause=product")

    assert names(page) == ["Ann"]
    assert page.context["page"].causes == [("product", "Product"), ("wait", "Wait")]
    assert "; cause: product" in page.content.decode()
    assert names(client.get("/team?cause=nonsense&flagged=1")) == ["Ann", "Cleo", "Ben"]
    assert names(client.get("/team?cause=tool")) == []


def test_causes_are_not_asked_for_where_none_is_known(three, owner, signed_in):
    flag(three[0])

    assert 'name="cause"' not in signed_in(owner).get("/team").content.decode()


@pytest.mark.parametrize("query", ["flagged=1", "cause=product"])
def test_member_gets_no_answer_about_flags_from_a_filter(query, linked_member, signed_in):
    rate(linked_member.agent)
    client = signed_in(linked_member)
    before = without_tokens(client.get(f"/team?{query}"))
    flags.set_cause(flag(linked_member.agent), by=factories.owner(linked_member.workspace), cause="product")

    assert without_tokens(client.get(f"/team?{query}")) == before
    assert names(client.get(f"/team?{query}")) == [linked_member.agent.name]


def test_numbers_lead_to_exactly_the_conversations_behind_them(owner, signed_in):
    ann, ben = (factories.human(owner.workspace, name=name) for name in ("Ann", "Ben"))
    today = timezone.localdate()
    record_ratings(
        owner.workspace, [good_or_bad(ann, day, good=True) for day in days_until(today - timedelta(days=1), 60)]
    )
    late = good_or_bad(ann, today - timedelta(days=2), good=False, closed_at=timezone.now() - timedelta(days=90))
    record_ratings(owner.workspace, [late, *steady(ben, days_until(today - timedelta(days=1), 20))])
    factories.conversation(ann)  # not rated
    client = signed_in(owner)

    text = client.get("/team?q=ann").content.decode()

    found = [
        (client.get(unescape(address)).context["history"].n_found, words)
        for address, words in re.findall(r'href="(/conversations[^"]*rated=1[^"]*)">([^<]*)<', text)
    ]
    assert found == [(28, "28 ratings"), (56, "of 56")]


def test_points_of_a_sparkline_are_levels_of_four_weeks_up_to_today(owner, signed_in):
    """The four weeks that end eleven weeks ago are at 60, the last four at 90, all between at 75: not a day more or less."""
    ann = factories.human(owner.workspace, name="Ann", team="Billing")
    rate(ann, score=90, n=1, days=28)
    earlier = factories.human(owner.workspace, name="Earlier")  # only lends their days
    rate(earlier, score=75, n=1, days=77)
    RatingDay.objects.filter(agent=earlier, day__gt=timezone.localdate() - timedelta(days=28)).delete()
    RatingDay.objects.filter(agent=earlier).update(agent=ann)
    first = factories.human(owner.workspace, name="First")
    rate(first, score=60, n=1, days=105)
    RatingDay.objects.filter(agent=first, day__gt=timezone.localdate() - timedelta(days=77)).delete()
    RatingDay.objects.filter(agent=first).update(agent=ann)

    row = next(row for row in signed_in(owner).get("/team").context["page"].rows if row.name == "Ann")

    assert row.spark.words == "60 to 90, team 60 to 90"
    assert (row.csat.n, row.before.n) == (28, 28)


def test_coached_leads_to_what_it_was(owner, signed_in):
    bot, person = factories.ai_agent(owner.workspace, name="Bot"), factories.human(owner.workspace, name="Person")
    factories.session(bot, owner)
    talk = factories.session(bot, owner)
    notes.write(person, by=owner, body="Talk.", follow_up_at=timezone.now() + timedelta(days=1))
    ticked = factories.human(owner.workspace, name="Ticked")
    flags.mark_coached(flag(ticked), by=owner)

    page = signed_in(owner).get("/team?sort=name")

    assert [(row.name, row.coached.by, row.coached.session, row.due) for row in page.context["page"].rows] == [
        ("Bot", "session", talk.pk, 0),
        ("Person", "note", None, 1),
        ("Ticked", "flag", None, 0),
    ]
    text = page.content.decode()
    assert f'href="/coach/sessions/{talk.pk}"' in text
    assert text.count(f'href="/team/{person.pk}#notes"') == 2


# --- Cost -------------------------------------------------------------------------------------------------------------


def test_team_takes_as_many_queries_for_many_agents_as_for_one(owner, signed_in):
    def fill(count):
        for _ in range(count):
            team = Team.objects.create(workspace=owner.workspace, name=f"Team {Team.objects.count()}")
            person = factories.human(owner.workspace, team=team.name)
            rate(person)
            flag(person)
            notes.write(person, by=owner, body="Talk.")
            factories.proposal(factories.ai_agent(owner.workspace, team=team.name))

    client = signed_in(owner)
    fill(1)
    few = queries(client, "/team")
    fill(12)

    assert queries(client, "/team") == few


def test_drawer_takes_as_many_queries_for_a_full_record_as_for_a_short_one(owner, signed_in):
    person = factories.human(owner.workspace)
    rate(person)
    flag(person)

    def fill(count):
        for _ in range(count):
            notes.write(person, by=owner, body="Talk.", sample=sample(person))

    client = signed_in(owner)
    fill(1)
    few = queries(client, f"/team/{person.pk}")
    fill(15)

    assert queries(client, f"/team/{person.pk}") == few


def test_many_agents_come_in_pages(owner, signed_in, monkeypatch):
    monkeypatch.setattr("coaching.pages.team.PAGE_SIZE", 2)
    for name in ("Ann", "Ben", "Cleo"):
        factories.human(owner.workspace, name=name)
    client = signed_in(owner)

    first, last = client.get("/team?sort=name"), client.get("/team?sort=name&page=2")

    assert names(first) == ["Ann", "Ben"]
    assert names(last) == ["Cleo"]
    assert first.context["page"].next_page == "?sort=name&page=2"
    assert first.context["page"].jumps == [(1, "?sort=name"), (2, "?sort=name&page=2")]
    assert "page 2 of 2 · 3 agents" in last.content.decode()


def test_jumps_name_the_ends_and_the_pages_around(owner, signed_in, monkeypatch):
    monkeypatch.setattr("coaching.pages.team.PAGE_SIZE", 1)
    for _ in range(9):
        factories.human(owner.workspace)

    jumps = signed_in(owner).get("/team?page=5").context["page"].jumps

    assert [jump and jump[0] for jump in jumps] == [1, None, 3, 4, 5, 6, 7, None, 9]


# --- The drawer -------------------------------------------------------------------------------------------------------


def test_drawer_is_a_fragment_for_htmx_and_a_page_for_everybody_else(agent, owner, signed_in):
    client = signed_in(owner)

    fragment, page = client.get(f"/team/{agent.pk}", headers=PARTIAL), client.get(f"/team/{agent.pk}")

    assert fragment.content.lstrip().startswith(b'<div class="drawer-in">')
    assert b"<html" in page.content
    for response in (fragment, page):
        assert response["Cache-Control"] == "private, no-store"
        assert "HX-Request-Type" in response["Vary"]


def test_drawer_says_why_with_numbers_picture_and_samples(owner, signed_in):
    person = factories.human(owner.workspace, name="Sarah")
    rate(person)
    flag(person)
    sample(person, url="https://desk.example/1", summary="The invoice could not be split.", summary_state="captured")
    sample(person, value="2", score_hundredths=2500)

    text = signed_in(owner).get(f"/team/{person.pk}").content.decode()

    assert (
        "In the last 5 weeks Sarah’s 38 ratings average 83 %; their own previous 21 weeks and what their team got in "
        "these weeks point to 91 %. Below that in 4 of the 5 weeks, and it holds without the worst 7 days. A steady "
        "agent shows this in fewer than 1 in 150 quarters."
    ) in text
    assert text.count("data-point") == 16
    assert '<a href="https://desk.example/1" rel="noopener noreferrer" target="_blank">' in text
    assert "The invoice could not be split." in text
    assert "Summary pending" in text


def test_manual_flag_shows_the_leaders_reason(owner, signed_in):
    person = factories.human(owner.workspace)
    flags.raise_manual(person, by=owner, reason="Three complaints by phone.")
    client = signed_in(owner)

    assert "Three complaints by phone." in client.get(f"/team/{person.pk}").content.decode()
    assert "Flagged · Manual" in client.get("/team").content.decode()


def test_names_and_notes_are_text_never_markup(owner, signed_in):
    person = factories.human(owner.workspace, name="<script>alert(1)</script>")
    notes.write(person, by=owner, body="<img src=x onerror=alert(1)>")

    for path in ("/team", f"/team/{person.pk}"):
        text = signed_in(owner).get(path).content.decode()
        assert "<script>alert" not in text
        assert "<img" not in text


class Inline(HTMLParser):
    """Collects what a strict content security policy would refuse."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        names = {name for name, _ in attrs}
        self.found += [f"{tag} {name}" for name in names if name == "style" or name.startswith(("on", "hx-on"))]
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(tag)


def test_pages_carry_nothing_inline(owner, signed_in):
    person = factories.human(owner.workspace)
    rate(person)
    flag(person)
    client = signed_in(owner)

    for path in ("/team", f"/team/{person.pk}", f"/team?agent={person.pk}", "/nowhere"):
        parser = Inline()
        response = client.get(path)
        parser.feed(response.content.decode())
        assert parser.found == []
        assert "default-src 'self'" in response["Content-Security-Policy"]
        assert "unsafe" not in response["Content-Security-Policy"]


# --- What a leader says of a flag -------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, PARTIAL])
def test_cause_is_kept_and_taken_back_by_saying_it_again(headers, owner, signed_in):
    found = flag(factories.human(owner.workspace))
    client = signed_in(owner)

    client.post(f"/flags/{found.pk}/cause", {"cause": "wait"}, headers=headers)
    assert Flag.objects.get().cause == "wait"
    client.post(f"/flags/{found.pk}/cause", {"cause": "wait"}, headers=headers)

    assert Flag.objects.get().cause == ""


def test_person_has_no_prompt_that_could_be_the_cause(owner, signed_in):
    client = signed_in(owner)
    person, bot = factories.human(owner.workspace), factories.ai_agent(owner.workspace)
    flag(person)
    flag(bot)

    assert b'value="prompt"' not in client.get(f"/team/{person.pk}").content
    assert b'value="prompt"' in client.get(f"/team/{bot.pk}").content


@pytest.mark.parametrize("headers", [{}, PARTIAL])
def test_flag_is_dismissed_with_its_reason_and_only_once(headers, owner, signed_in):
    found = flag(factories.human(owner.workspace))
    client = signed_in(owner)

    refused = client.post(f"/flags/{found.pk}/dismiss", {"reason": " "}, headers=headers)
    client.post(f"/flags/{found.pk}/dismiss", {"reason": "She covers the hard queue."}, headers=headers)
    late = client.post(f"/flags/{found.pk}/dismiss", {"reason": "Again."}, headers=headers)

    assert (refused.status_code, late.status_code) == (400, 409)
    assert "Say why, in a few words." in refused.content.decode()
    found.refresh_from_db()
    assert (found.status, found.close_reason, found.closed_by) == ("dismissed", "She covers the hard queue.", owner)


@pytest.mark.parametrize("what", ["cause", "dismiss"])
def test_only_leaders_say_what_a_flag_was(what, linked_member, stranger, signed_in):
    found = flag(linked_member.agent)
    said = {"cause": "wait", "reason": "Mine."}

    assert signed_in(linked_member).post(f"/flags/{found.pk}/{what}", said).status_code == 404
    assert signed_in(stranger).post(f"/flags/{found.pk}/{what}", said).status_code == 404
    found.refresh_from_db()
    assert (found.status, found.cause) == ("open", "")


# --- Notes ------------------------------------------------------------------------------------------------------------


def test_note_is_private_unless_shared(owner, signed_in):
    person = factories.human(owner.workspace)
    client = signed_in(owner)

    client.post(f"/team/{person.pk}/notes", {"body": "Role-play one."})
    client.post(f"/team/{person.pk}/notes", {"body": "Great recovery.", "share": "on", "seen": "1"})

    kept = Note.objects.order_by("created_at").values_list("body", "shared_with_agent", "author")
    assert list(kept) == [("Role-play one.", False, owner.pk), ("Great recovery.", True, owner.pk)]


def test_note_without_scripts_leads_back_to_the_page(owner, signed_in):
    person = factories.human(owner.workspace)

    response = signed_in(owner).post(f"/team/{person.pk}/notes", {"body": "Talk."}, follow=True)

    assert response.redirect_chain == [(f"{reverse('team-agent', args=[person.pk])}#notes", 302)]
    assert "Kept, private to leaders." in response.content.decode()


def test_note_with_htmx_answers_with_the_notes(owner, signed_in):
    person = factories.human(owner.workspace)

    response = signed_in(owner).post(f"/team/{person.pk}/notes", {"body": "Talk."}, headers=PARTIAL)

    assert response.content.lstrip().startswith(b'<section id="notes"')
    assert "Kept, private to leaders." in response.content.decode()


def test_note_keeps_its_conversation_and_follows_up_in_the_morning(owner, signed_in):
    owner.workspace.time_zone = "America/New_York"
    owner.workspace.save_without_historical_record()
    person = factories.human(owner.workspace)
    about = sample(person)
    day = timezone.localdate() + timedelta(days=40)

    signed_in(owner).post(
        f"/team/{person.pk}/notes", {"body": "Talk.", "sample": about.pk, "follow_up": day.isoformat()}
    )

    note = Note.objects.get()
    local = note.follow_up_at.astimezone(owner.workspace.zone)
    assert (note.sample, local.date(), local.hour) == (about, day, 9)


@pytest.mark.parametrize("headers", [{}, PARTIAL])
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"body": "   "}, "A note needs some words."),
        ({"body": "x" * 20_001}, "A note has at most 20,000 characters."),
        ({"body": "My words.", "follow_up": "2001-01-01"}, "A follow-up lies ahead."),
        ({"body": "My words.", "follow_up": "3000-01-01"}, "A follow-up lies within ten years."),
        ({"body": "My words.", "follow_up": "tomorrow"}, "The follow-up needs a date"),
        ({"body": "My words.", "follow_up": "2027-02-31"}, "The follow-up needs a date"),
    ],
)
def test_refused_note_says_why_and_keeps_the_words(typed, said, headers, owner, signed_in):
    person = factories.human(owner.workspace)

    response = signed_in(owner).post(f"/team/{person.pk}/notes", typed, headers=headers)

    assert response.status_code == 400
    assert said in response.content.decode()
    assert typed["body"] in response.content.decode()
    assert not Note.objects.exists()


def test_character_that_no_database_keeps_is_refused(owner, signed_in):
    found = flag(factories.human(owner.workspace))
    client = signed_in(owner)

    assert client.post(f"/team/{found.agent_id}/notes", {"body": "a\0b"}).status_code == 400
    assert client.post(f"/flags/{found.pk}/dismiss", {"reason": "a\0b"}).status_code == 400
    assert not Note.objects.exists()


def test_note_about_another_agents_sample_is_refused(owner, signed_in):
    person, other = (factories.human(owner.workspace) for _ in range(2))

    response = signed_in(owner).post(f"/team/{person.pk}/notes", {"body": "Talk.", "sample": sample(other).pk})

    assert response.status_code == 404
    assert not Note.objects.exists()


def test_member_may_read_their_record_but_not_write_in_it(linked_member, signed_in):
    response = signed_in(linked_member).post(f"/team/{linked_member.agent.pk}/notes", {"body": "Me."})

    assert response.status_code == 403
    assert "Only owners and admins of this workspace may write notes and look after flags." in response.content.decode()
    assert not Note.objects.exists()


def test_stranger_cannot_write_a_note(agent, stranger, signed_in):
    assert signed_in(stranger).post(f"/team/{agent.pk}/notes", {"body": "Hi."}).status_code == 404
    assert not Note.objects.exists()


def test_note_needs_the_forms_token(owner):
    person = factories.human(owner.workspace)
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner.user)

    response = client.post(f"/team/{person.pk}/notes", {"body": "Talk."})

    assert response.status_code == 403
    assert "This form had expired" in response.content.decode()


# --- Signing in and out -----------------------------------------------------------------------------------------------


def test_signing_in_leads_to_where_one_wanted_to_go(owner):
    response = Client().post(
        "/sign-in",
        {"username": owner.user.email, "password": factories.PASSWORD, "next": "/team?flagged=1"},
    )

    assert (response.status_code, response.url) == (302, "/team?flagged=1")


def test_signing_in_never_leads_elsewhere(owner):
    response = Client().post(
        "/sign-in",
        {"username": owner.user.email, "password": factories.PASSWORD, "next": "https://elsewhere.example/"},
    )

    assert (response.status_code, response.url) == (302, "/")


def test_wrong_password_and_unknown_address_read_the_same(owner):
    answers = [
        without_tokens(Client().post("/sign-in", {"username": email, "password": "x"})).replace(email, "")
        for email in (owner.user.email, "nobody@test.example")
    ]

    assert answers[0] == answers[1]
    assert "do not go together" in answers[0]


def test_signing_out_is_by_post_only(owner, signed_in):
    client = signed_in(owner)

    assert client.get("/sign-out").status_code == 405
    assert client.post("/sign-out").url == "/sign-in"
    assert client.get("/team").status_code == 302


# --- Where somebody stands who is not flagged -------------------------------------------------------------------------


def why(response):
    text = re.search(r'<p class="why[^"]*">(.*?)</p>', response.content.decode(), re.DOTALL).group(1)
    return " ".join(re.sub(r"<[^>]+>", "", text).split())


def test_drawer_says_in_a_sentence_where_somebody_stands(owner, signed_in):
    steady, thin, newcomer = (factories.human(owner.workspace, name=name) for name in ("Ann", "Ben", "Cleo"))
    rate(steady)
    rate(thin, n=1, days=10)
    client = signed_in(owner)
    hidden = "At 3 ratings a week even a 30-point fall is found only two times in three within a quarter."

    assert why(client.get(f"/team/{steady.pk}")).endswith(". On track: no sustained fall has been found.")
    assert why(client.get(f"/team/{thin.pk}")).endswith(f". Too few to say more. {hidden}")
    assert why(client.get(f"/team/{newcomer.pk}")) == f"Too few to say: no ratings in the last 4 weeks. {hidden}"
    FlagPolicy.objects.create(workspace=owner.workspace, automatic=False)
    assert why(client.get(f"/team/{steady.pk}")).endswith(". Not flagged: automatic flags are off.")


def test_member_is_told_nothing_about_flags_in_their_own_record(linked_member, signed_in):
    rate(linked_member.agent)

    assert "rack" not in why(signed_in(linked_member).get(f"/team/{linked_member.agent.pk}"))


def test_picture_of_a_steady_agent_shows_what_is_usual(owner, signed_in):
    ann = factories.human(owner.workspace, name="Ann", team="Billing")
    rate(ann, score=80)
    for _ in range(3):
        rate(factories.human(owner.workspace, team="Billing"), score=90)

    response = signed_in(owner).get(f"/team/{ann.pk}")

    drawn = response.context["drawer"].picture
    assert {round(week.expected, 6) for week in drawn.weeks} == {80}
    text = response.content.decode()
    assert "their usual level, moved as the team’s was that week" in text
    assert '<th scope="col">Usual</th>' in text
    assert not drawn.has_worst


def test_member_sees_the_usual_level_whether_flagged_or_not(linked_member, signed_in):
    rate(linked_member.agent)
    client = signed_in(linked_member)
    before = without_tokens(client.get(f"/team/{linked_member.agent.pk}"))
    flag(linked_member.agent)

    assert without_tokens(client.get(f"/team/{linked_member.agent.pk}")) == before
