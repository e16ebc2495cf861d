"""The page of one flag: why it was raised, how sure that is, where it stands, and what happened to it."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from coaching.actions import flags, sweeps
from coaching.models import Flag
from helpdesk.actions import record_ratings, withdraw_rating
from helpdesk.models import Rating
from tests import factories
from tests.factories import ratings

pytestmark = pytest.mark.django_db

TODAY = date(2026, 5, 20)
EVIDENCE = {"day": "2026-05-20", "since": "2026-04-16", "expected": 90.0, "drop": 12.0}


@pytest.fixture
def page(owner, signed_in):
    """A function: flag, day -> the words of its page on that day, one blank between them."""
    client = signed_in(owner)

    def read(flag, day=TODAY, path="", **form):
        with time_machine.travel(datetime(day.year, day.month, day.day, 12, tzinfo=UTC), tick=False):
            ask = client.post if path else client.get
            response = ask(f"/flags/{flag.pk}{path}", form, follow=True)
        page = response.content.decode().partition("</header>")[2].partition("</main>")[0]
        words = re.sub(r"<svg.*?</svg>|<[^>]+>", " ", page, flags=re.DOTALL)
        return " ".join(words.replace("&#x27;", "'").split())

    return read


@pytest.fixture
def flag(workspace):
    ratings.team_with_a_fall(workspace, TODAY)
    sweeps.sweep(workspace, TODAY)
    return Flag.objects.select_related("agent").get()


def test_page_says_the_claim_its_numbers_and_each_thing_the_scan_asks(flag, page):
    words = page(flag)

    e = flag.evidence
    assert f"Why {flag.agent} is flagged" in words
    assert f"In the 5 weeks up to 20 May 2026 {flag.agent}’s 35 ratings average 51 %" in words
    assert (
        "16 Apr – 20 May, the weeks of the fall 51 % from 35 ratings The 21 weeks before 90 % from 147 ratings" in words
    )
    assert f"The team in the same weeks {e['peers_observed']:.0f} % from 140 ratings" in words
    for check in (
        "12 ratings or more in these weeks: 35",
        "20 ratings or more before them: 147",
        f"5 points or more below what was expected: {e['expected'] - e['observed']:.1f}",
        "Below in at least two thirds of the weeks, and in 3 or more: 5 of 5",
        "Still below in the last two weeks: 50 % from 14 ratings",
        f"{e['evidence_without_worst']:.2f} standard errors left",
        f"3.40 standard errors or more in all: {e['statistic']:.2f}",
    ):
        assert check in words
    assert "(not any more)" not in words


def test_numbers_lead_to_the_conversations_they_count(flag, owner, signed_in):
    client = signed_in(owner)
    with time_machine.travel(datetime(2026, 5, 20, 12, tzinfo=UTC), tick=False):
        html = client.get(f"/flags/{flag.pk}").content.decode().replace("&amp;", "&")

    links = re.findall(r'<a href="(/conversations\?[^"]+)">(\d+) ratings', html)
    assert [int(n) for _, n in links] == [28, 35, 147]
    assert [client.get(url).context["history"].n_found for url, _ in links] == [28, 35, 147]
    assert "</b> from 140 ratings" in html  # the others': no list counts them without the agent, so they lead nowhere


def test_open_flag_says_where_it_stands_and_what_it_takes_to_clear(flag, page):
    needed = flag.evidence["expected"] - flag.evidence["drop"] / 3
    asked = f"to clear it takes {needed:.0f} % from at least 8, not before 3 Jun."
    ends = "On 12 Aug it ends in any case, as a new level to talk about."

    assert f"50 % from 28 ratings in the last 28 days; {asked} {ends}" in page(flag)
    few = "These are too few to say whether it is over."
    assert f"57 % from 7 ratings in the last 28 days; {asked} {few} {ends}" in page(flag, TODAY + timedelta(days=21))
    assert f"No ratings in the last 28 days; {asked} {few}" in page(flag, TODAY + timedelta(days=40))
    record_ratings(
        flag.workspace, ratings.steady(flag.agent, ratings.days_until(TODAY + timedelta(days=28), 28), bad_one_in=99)
    )
    assert "100 % from 28 ratings in the last 28 days" in page(flag, TODAY + timedelta(days=28))
    assert "The level is back." in page(flag, TODAY + timedelta(days=28))


def test_story_has_everything_that_happened_with_who_and_why_newest_first(flag, owner, page):
    name = owner.display_name
    flags.set_cause(flag, by=owner, cause="wait")
    flags.mark_coached(flag, by=owner)
    flags.dismiss(flag, by=owner, reason="A holiday.")
    flags.reopen(flag, by=owner)
    flags.unmark_coached(flag, by=owner)
    flags.set_cause(flag, by=owner, cause="")

    story = page(flag).partition("What happened")[2]

    order = [
        "Cause taken back",
        "Not coached after all",
        "Reopened",
        "Dismissed A holiday.",
        "Coached",
        "Cause: Wait",
        "Raised",
    ]
    assert [story.index(words) for words in order] == sorted(story.index(words) for words in order)
    assert story.count(name) == 6
    assert f"Raised {flag.evidence['statistic']:.2f} standard errors, 3.40 asked" in story


def test_story_of_late_ratings_says_what_they_changed(flag, page):
    record_ratings(flag.workspace, [ratings.good_or_bad(flag.agent, TODAY, good=False)])
    sweeps.sweep(flag.workspace, TODAY + timedelta(days=1))

    words = page(flag, TODAY + timedelta(days=1))

    assert "came late or were corrected: 51 % from 35 ratings, now 50 % from 36 ratings." in words
    assert "brought up to date with ratings that came late" in words


def test_flag_that_was_taken_back_says_what_was_and_what_is(flag, page):
    for one in Rating.objects.filter(agent=flag.agent, rated_at__date__gt=TODAY - timedelta(days=30)):
        withdraw_rating(one.conversation)
    sweeps.sweep(flag.workspace, TODAY + timedelta(days=1))

    words = page(flag, TODAY + timedelta(days=1))

    assert f"Why {flag.agent} was flagged" in words
    assert "How it ended. Cleared on 21 May 2026: ratings of these weeks were corrected since" in words
    assert "In the weeks of the fall 51 % from 35 ratings then, 60 % from 5 ratings now" in words
    assert f"Standard errors {flag.evidence['statistic']:.2f} then, one of the checks fails now" in words
    assert "Taken back" in words
    assert "The scan rests" not in words


def test_closed_flag_says_how_it_ended_and_how_long_the_scan_rests(flag, owner, page):
    with time_machine.travel(datetime(2026, 5, 25, 12, tzinfo=UTC), tick=False):
        flags.dismiss(flag, by=owner, reason="A holiday.")

    words = page(flag, date(2026, 5, 26))
    assert f"How it ended. Dismissed by {owner.display_name}: A holiday." in words
    assert "The scan rests until 22 Jun" in words
    assert "Where it stands" not in words
    assert "The scan rests" not in page(flag, date(2026, 6, 22))


def test_flag_raised_by_hand_says_who_and_why_and_claims_no_evidence(workspace, owner, page):
    with time_machine.travel(datetime(2026, 5, 20, 9, tzinfo=UTC), tick=False):
        flag = flags.raise_manual(factories.human(workspace), by=owner, reason="Three calls in a row.")

    words = page(flag)

    assert f"on 20 May, by {owner.display_name}" in words
    assert "Three calls in a row." in words
    assert "A leader raised it by hand" in words
    assert "How sure it is" not in words


def test_flag_from_before_its_versions_were_kept_has_the_story_of_its_row(flag, owner, page):
    flags.mark_coached(flag, by=owner)
    flags.dismiss(flag, by=owner, reason="A holiday.")
    flag.history.all().delete()

    story = page(flag).partition("What happened")[2]

    order = ["Dismissed A holiday.", "Coached", "Raised"]
    assert [story.index(words) for words in order] == sorted(story.index(words) for words in order)


def test_flag_with_little_evidence_shows_what_there_is(workspace, page):
    """As one raised before some of its numbers were kept."""
    old = EVIDENCE | {"weeks": 5, "ratings": 38, "observed": 78, "past_weeks": 21, "weeks_rated": 5, "weeks_below": 4}
    old |= {"peers": "team", "worst_start": None, "holds_without_worst": True}
    flag = flags.raise_flag(factories.human(workspace), old)

    words = page(flag)

    assert "12 ratings or more in these weeks: 38" in words
    assert "standard errors" not in words


def test_other_flags_of_the_same_agent_are_listed_and_nobody_elses(flag, owner, page):
    flags.dismiss(flag, by=owner, reason="A holiday.")
    newer = flags.raise_manual(flag.agent, by=owner, reason="Calls.")
    flags.raise_manual(factories.human(flag.workspace), by=owner, reason="Else.")

    assert re.search(r"Other flags of .* Manual, \d+ \w+( \d+)?, open$", page(flag))
    assert re.search(r"Other flags of .* Auto, 20 May, dismissed \d+ \w+( \d+)?$", page(newer))


def test_dismiss_reopen_coached_and_cause_lead_back_to_the_page(flag, page):
    assert "Dismissed. The reason stays" in page(flag, path="/dismiss", reason="A holiday.", on_page="1")
    assert "Reopened. It stands as it stood." in page(flag, path="/reopen")
    assert "was coached on it." in page(flag, path="/coached", coached="1")
    assert "✓ Tool" in page(flag, path="/cause", cause="tool", on_page="1")
    assert "not coached yet" in page(flag, path="/coached")
    flag.refresh_from_db()
    assert (flag.status, flag.cause, flag.coached_at, flag.version) == ("open", "tool", None, 6)


def test_what_cannot_be_done_is_said_on_the_page(flag, owner, page):
    assert "Say why, in a few words." in page(flag, path="/dismiss", reason=" ", on_page="1")
    assert "Only a dismissal can be taken back." in page(flag, path="/reopen")
    flags.dismiss(flag, by=owner, reason="A holiday.")
    assert "This flag is closed: Dismissed." in page(flag, path="/coached", coached="1")
    flags.raise_manual(flag.agent, by=owner, reason="Calls.")
    assert f"{flag.agent} has an open flag already." in page(flag, path="/reopen")


def test_page_takes_as_many_queries_for_a_long_story_as_for_a_short_one(flag, owner, signed_in):
    client, counts = signed_in(owner), []
    for rounds in (0, 5):
        for _ in range(rounds):
            flags.mark_coached(flag, by=owner)
            flags.unmark_coached(flag, by=owner)
            flags.dismiss(
                flags.raise_manual(factories.human(flag.workspace), by=owner, reason="x"), by=owner, reason="y"
            )
        with CaptureQueriesContext(connection) as asked:
            assert client.get(f"/flags/{flag.pk}").status_code == 200
        counts.append(len(asked))

    assert counts[0] == counts[1] <= 20


def test_overview_of_the_agent_leads_to_their_flags(flag, owner, signed_in):
    client, agent = signed_in(owner), flag.agent
    assert f'href="/flags/{flag.pk}">Why, and what happened since' in client.get(f"/agents/{agent.pk}").content.decode()
    flags.dismiss(flag, by=owner, reason="A holiday.")

    html = client.get(f"/agents/{agent.pk}").content.decode()

    assert re.search(rf'href="/flags/{flag.pk}">20 May[^<]*, dismissed</a>', html)
    assert "Why, and what happened since" not in html


# --- By hand, from the drawer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"HX-Request-Type": "partial"}])
def test_somebody_is_flagged_by_hand_from_the_drawer(headers, workspace, owner, signed_in):
    noor, client = factories.human(workspace, name="Noor"), signed_in(owner)
    drawer = client.get(f"/team/{noor.pk}").content.decode()

    answer = client.post(f"/team/{noor.pk}/flag", {"reason": "Calls."}, headers=headers, follow=True)

    assert "Flag by hand" in drawer
    words = answer.content.decode()
    assert ("Flagged. To take it back, dismiss it." in words, "Flag by hand" in words) == (True, False)
    flag = Flag.objects.get()
    assert (flag.kind, flag.reason, flag.opened_by, f"/flags/{flag.pk}" in words) == ("manual", "Calls.", owner, True)


@pytest.mark.parametrize(
    ("reason", "said", "status"),
    [(" ", "Say why, in a few words.", 400), ("Again.", "Noor has an open flag already.", 409)],
)
def test_what_is_wrong_with_a_flag_by_hand_is_said(reason, said, status, workspace, owner, signed_in):
    noor = factories.human(workspace, name="Noor")
    if status == 409:
        flags.raise_manual(noor, by=owner, reason="Calls.")

    answer = signed_in(owner).post(f"/team/{noor.pk}/flag", {"reason": reason})

    assert (answer.status_code, said in answer.content.decode()) == (status, True)
    assert Flag.objects.count() == (status == 409)


def test_member_is_offered_no_flag_and_no_page_of_one(linked_member, owner, signed_in):
    client = signed_in(linked_member)
    assert "by hand" not in client.get(f"/team/{linked_member.agent_id}").content.decode()
    flag = flags.raise_manual(linked_member.agent, by=owner, reason="Calls.")

    assert client.get(f"/flags/{flag.pk}").status_code == 404
    assert "/flags/" not in client.get(f"/team/{linked_member.agent_id}").content.decode()
