"""Settings › Helpdesks: connecting, what the cards say, who is who, and what leaders are told elsewhere."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Agent
from helpdesk.actions import connections, mapping
from helpdesk.models import ConnectionTest, HelpdeskAgent, HelpdeskConnection, HelpdeskSync, WebhookReceipt
from helpdesk.pages import connections as connections_page
from helpdesk.pages import people as people_page
from helpdesk.vendors.registry import VENDORS
from tests import factories
from tests.helpdesk.connected import rated

pytestmark = pytest.mark.django_db
URL = "/settings/helpdesks"
NEW = f"{URL}/connect/zendesk"
FRAGMENT = {"HX-Request-Type": "partial"}
TYPED = {
    "base_url": "https://acme.zendesk.com", "email": "a@test.example", "api_token": "secret-token", "webhook_secret": "",
    "backfill_days": "90", "source": "", "version": "0",
}  # fmt: skip


@pytest.fixture
def client(signed_in, owner):
    return signed_in(owner)


def card(client):
    (found,) = client.get(URL).context["cards"]
    return found


def page_of(client):
    return client.get(URL).content.decode()


# --- Connect and change ------------------------------------------------------------------------------------------------


def test_empty_page_offers_every_vendor_and_a_way_for_all_others(client):
    html = page_of(client)

    assert "None is connected yet." in html
    assert [f"{URL}/connect/{name}" in html for name in VENDORS] == [True] * len(VENDORS)
    assert "Front, HubSpot, Kustomer, Plain, Zammad: none of these publishes" in html


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_form_of_a_vendor_asks_for_its_fields_and_shows_its_steps(client, name):
    vendor = VENDORS[name]
    response = client.get(f"{URL}/connect/{name}")

    html = response.content.decode()
    asked = [field.name for field in response.context["form"].main_fields]
    assert [one for one in asked if one not in ("base_url", "backfill_days")] == [one.name for one in vendor.fields]
    assert ("base_url" in asked) == vendor.reads
    assert html.count('class="desk-steps') == bool(vendor.set_up)
    assert "{webhook}" not in html


def test_body_of_a_webhook_stands_apart_to_be_copied(client):
    html = client.get(f"{URL}/connect/gorgias").content.decode()

    assert re.search(r"<code[^>]*>{&quot;event&quot;: &quot;ticket-updated&quot;, [^<]*}</code>", html)


def test_connecting_owes_a_test_and_the_first_reading(client, owner):
    response = client.post(NEW, TYPED, follow=True)

    made = HelpdeskConnection.objects.get()
    assert (made.source, made.base_url, made.backfill_days) == ("zendesk", "https://acme.zendesk.com", 90)
    assert made.credentials == {"email": "a@test.example", "api_token": "secret-token"}
    assert ConnectionTest.objects.unfinished().get().asked_by == owner
    assert HelpdeskSync.objects.owed().filter(kind="backfill").count() == 1
    assert f"http://127.0.0.1:8000/hooks/zendesk/{made.pk}" in response.content.decode()
    assert "secret-token" not in response.content.decode()


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"base_url": ""}, "base_url", "It is missing."),
        ({"base_url": "https://zendesk.example"}, "base_url", "Only addresses of Zendesk itself are called"),
        ({"base_url": "http://acme.zendesk.com"}, "base_url", "Only https addresses are called."),
        ({"email": ""}, "email", "It is missing."),
        ({"api_token": ""}, "api_token", "It is missing."),
        ({"api_token": "é"}, "api_token", "without blanks and accents"),
        ({"api_token": "two words"}, "api_token", "without blanks"),
        ({"backfill_days": "4000"}, "backfill_days", "from 0 to 3,650"),
        ({"backfill_days": "x"}, "backfill_days", "from 0 to 3,650"),
        ({"source": "my desk"}, "source", "a short name of letters"),
        ({"source": "api"}, "source", "not api"),
    ],
)
def test_what_is_refused_is_said_beside_its_field(client, typed, field, said):
    response = client.post(NEW, TYPED | typed)

    assert response.status_code == 400
    assert [said in " ".join(response.context["form"].errors[field])] == [True]
    assert "secret-token" not in response.content.decode()
    assert HelpdeskConnection.objects.count() == 0


def test_second_account_gets_a_name_of_its_own(client, owner):
    rated(owner)

    suggested = client.get(NEW).context["form"].initial["source"]
    taken = client.post(NEW, TYPED | {"source": "zendesk"})
    client.post(NEW, TYPED)

    assert suggested == "zendesk-2"
    assert "zendesk is connected already." in taken.content.decode()
    assert sorted(HelpdeskConnection.objects.values_list("source", flat=True)) == ["zendesk", "zendesk-2"]


def test_empty_secret_keeps_what_is_stored_and_none_is_shown(client, owner):
    made = rated(owner)
    url = f"{URL}/{made.pk}/change"

    html = client.get(url).content.decode()
    client.post(url, TYPED | {"api_token": "", "email": "b@test.example", "version": "1"})

    made.refresh_from_db()
    assert html.count("(stored; leave this empty to keep it)") == 1
    assert 'value="right"' not in html
    assert made.credentials == {"email": "b@test.example", "api_token": "right"}


def test_changed_address_asks_for_the_secrets_again(client, owner):
    made = rated(owner)

    response = client.post(
        f"{URL}/{made.pk}/change", TYPED | {"api_token": "", "base_url": "https://other.zendesk.com", "version": "1"}
    )

    assert response.status_code == 400
    assert response.context["form"].errors["api_token"] == [connections.KEPT_FOR_ANOTHER]


def test_form_against_an_old_version_says_who_changed_it(client, owner, admin, signed_in):
    made = rated(owner)
    url = f"{URL}/{made.pk}/change"
    signed_in(admin).post(url, TYPED | {"version": "1"})

    late = client.post(url, TYPED | {"email": "late@test.example", "version": "1"})

    made.refresh_from_db()
    assert late.status_code == 409
    assert f"It was {admin}." in late.content.decode()
    assert made.account == {"email": "a@test.example"}
    assert made.backfill_days == 90


# --- What a card says --------------------------------------------------------------------------------------------------


def test_card_tells_how_far_the_first_reading_is(client, owner):
    made = rated(owner)
    now = timezone.now()
    HelpdeskSync.objects.filter(kind="backfill").update(
        started_at=now,
        since=now - timedelta(days=100),
        until=now,
        reached=now - timedelta(days=25),
        n_read=750,
        n_pages=8,
    )

    known = card(client)
    HelpdeskSync.objects.filter(kind="backfill").update(total=3_000)
    told = card(client)

    assert (known.state, known.asks_again, known.n_kept) == ("reading", 1, None)
    assert (known.backfill.percent, told.backfill.percent) == (75, 25)
    told_order = [connections_page.Reading(known.backfill.sync, oldest_first=order).percent for order in (False, None)]
    assert told_order == [25, None]
    html = page_of(client)
    assert "750 of 3,000 read" in html
    assert f'hx-get="{URL}/{made.pk}" hx-trigger="every 1s"' in html


def test_page_stops_asking_when_nothing_goes_on(client, owner):
    made = rated(owner)
    HelpdeskSync.objects.exclude(kind="reconcile").update(next_try_at=None, finished_at=timezone.now())
    ConnectionTest.objects.update(next_try_at=None, finished_at=timezone.now())

    response = client.get(f"{URL}/{made.pk}", headers=FRAGMENT)

    assert (card(client).state, card(client).asks_again) == ("active", 0)
    assert "hx-get" not in response.content.decode()
    assert f'id="helpdesk-{made.pk}-more" hx-swap-oob="outerMorph"' in response.content.decode()


def test_trouble_is_said_in_words_with_the_next_try(client, owner):
    rated(owner)
    later = timezone.now() + timedelta(minutes=20)
    HelpdeskSync.objects.filter(kind="backfill").update(
        last_error="Zendesk has a fault of its own (502).", next_try_at=later, attempts=4, started_at=timezone.now()
    )
    HelpdeskSync.objects.filter(kind="recent").update(next_try_at=None)

    html = page_of(client)

    assert "Zendesk has a fault of its own (502). The next try is " in html
    assert card(client).state == "active"


def test_refused_connection_says_what_to_do(client, owner):
    made = rated(owner)
    connections.refuse(made, "Zendesk does not accept the credentials (401). Put them in again.")

    html = page_of(client)

    assert card(client).state == "refused"
    assert "Zendesk does not accept the credentials (401). Put them in again. Nothing is read until then" in html
    assert f'{URL}/{made.pk}/change">Change it' in html


def test_refused_items_are_named_with_why(client, owner):
    rated(owner)
    told = [{"id": f"r-{n}", "detail": "The score is neither good nor bad."} for n in range(20)]
    HelpdeskSync.objects.filter(kind="backfill").update(refused=told, n_refused=31)

    html = page_of(client)

    assert "31 ratings could not be taken" in html
    assert html.count("The score is neither good nor bad.") == 20


def test_card_tells_of_the_last_webhook_and_of_a_missing_secret(client, owner):
    made = rated(owner)
    before = card(client)
    WebhookReceipt.objects.create(workspace=made.workspace, connection=made, event_id="1", event="old")
    newest = WebhookReceipt.objects.create(workspace=made.workspace, connection=made, event_id="2", event="new")

    assert before.last_event is None
    assert card(client).last_event == newest
    assert card(client).signs_nothing


def test_versions_say_who_changed_what_without_secrets(client, owner, admin):
    made = rated(owner)
    told = {"vendor": "zendesk", "base_url": made.base_url}
    connections.connect(owner.workspace, by=admin, credentials={"api_token": "newer"}, **told)
    connections.connect(owner.workspace, by=admin, credentials={"email": "c@test.example"}, backfill_days=10, **told)
    connections.refuse(made, "No.")
    connections.pause(connections.resume(made, by=owner), by=owner)
    connections.disconnect(made, by=owner)

    versions = card(client).versions

    assert [(one.words, one.by) for one in versions] == [
        ("Disconnected", str(owner)),
        ("Paused", str(owner)),
        ("Resumed", str(owner)),
        ("Refused: No.", "Touchline"),
        ("Email c@test.example; first reading of 10 days, before 180", str(admin)),
        ("Credentials put in again", str(admin)),
        ("Connected at acme.zendesk.com", str(owner)),
    ]


def test_buttons_pause_resume_read_test_and_disconnect(client, owner):
    made = rated(owner)

    def press(what):
        client.post(f"{URL}/{made.pk}/{what}")
        made.refresh_from_db()
        return made.state

    assert [press("pause"), press("read"), press("resume")] == ["paused", "paused", "active"]
    HelpdeskSync.objects.filter(kind="recent").update(next_try_at=None)
    press("read")
    assert HelpdeskSync.objects.owed().filter(kind="recent").exists()
    assert press("disconnect") == "disconnected"
    assert (made.credentials, made.helpdesk_agents.count()) == ({"email": "a@test.example"}, 1)
    assert card(client).n_kept == 1
    again = client.post(f"{URL}/{made.pk}/pause", follow=True).content.decode()
    assert "Somebody changed this connection meanwhile." in again


def test_list_asks_as_many_queries_for_many_connections_as_for_one(client, owner):
    def queries():
        with CaptureQueriesContext(database) as captured:
            assert client.get(URL).status_code == 200
        return len(captured)

    rated(owner)
    one = queries()
    for number in range(5):
        made = rated(owner, source=f"desk-{number}")
        connections.pause(made, by=owner)

    assert queries() == one


# --- Who is who --------------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(owner):
    return rated(owner, n=3)


@pytest.fixture
def ada(desk):
    return desk.helpdesk_agents.get()


def say(client, row, **told):
    was = told.pop("was", str(row.agent_id or ""))
    url = f"{URL}/{row.connection_id}/people/{row.pk}"
    response = client.post(url, {"was": was, **told}, headers=FRAGMENT)
    row.refresh_from_db()
    return response


def test_somebody_unknown_becomes_an_agent_by_one_click(client, ada):
    response = say(client, ada, create="1")

    assert (ada.agent.name, ada.agent.kind, ada.mapping) == ("Ada Byron", Agent.Kind.HUMAN, "person")
    assert ada.next_try_at is not None
    assert "crediting 3 ratings" in response.content.decode()
    mapping.credit(ada.pk)
    assert (
        "crediting" not in client.get(f"{URL}/{ada.connection_id}/people/{ada.pk}", headers=FRAGMENT).content.decode()
    )
    assert ada.agent.ratings.count() == 3


def test_bots_become_ai_agents(client, ada):
    HelpdeskAgent.objects.update(is_bot=True)

    say(client, ada, create="1")

    assert ada.agent.kind == Agent.Kind.AI


def test_somebody_is_mapped_by_name_to_nobody_and_back(client, ada, workspace):
    ours = factories.human(workspace, name="Countess of Lovelace")

    say(client, ada, agent=" countess of lovelace ")
    mapped = (ada.agent, ada.mapping)
    say(client, ada, undo="1")
    undone = (ada.agent, ada.mapping)
    say(client, ada, nobody="1")

    assert mapped == (ours, "person")
    assert undone == (None, "")
    assert (ada.agent, ada.mapping) == (None, "person")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"agent": ""}, "Type a name first."),
        ({"agent": "Nobody at all"}, "Nobody here is called “Nobody at all”."),
        ({"agent": "Twin"}, "Nobody here is called “Twin”."),
        ({"suggested": "1"}, "Type a name first."),
    ],
)
def test_name_that_fits_nobody_or_several_is_refused(client, ada, workspace, typed, said):
    factories.human(workspace, name="Twin")
    factories.human(workspace, name="Twin")

    response = say(client, ada, **typed)

    assert response.status_code == 400
    assert said in response.content.decode()
    assert ada.agent is None


def test_agent_of_another_workspace_is_nobody_here(client, ada, stranger):
    theirs = factories.human(stranger.workspace, name="Foreign")

    by_id, by_name = say(client, ada, suggested=str(theirs.pk)), say(client, ada, agent="Foreign")

    assert (by_id.status_code, by_name.status_code) == (400, 400)
    assert ada.agent is None


def test_page_that_shows_an_older_mapping_changes_nothing(client, ada, owner, workspace):
    ours = factories.human(workspace)
    mapping.map_to(ada, ours, by=owner, was=None)

    create, other = say(client, ada, create="1", was=""), say(client, ada, nobody="1", was="")

    assert (create.status_code, other.status_code) == (409, 409)
    assert ada.agent == ours
    assert "Somebody mapped this agent meanwhile." in other.content.decode()


@pytest.mark.parametrize(
    ("name", "email", "ours", "is_like"),
    [
        ("Ada Byron", "", "ada byron", True),
        ("Byron Ada", "", "Ada Byron", True),
        ("Ada", "", "Ada Byron", True),
        ("Ada Byron", "", "Ada", True),
        ("", "ada.byron@test.example", "Ada Byron", True),
        ("Ada Byron", "", "Ada Lovelace", False),
        ("Zed", "", "Ada", False),
    ],
)
def test_who_is_called_alike_is_suggested(client, ada, workspace, name, email, ours, is_like):
    agent = factories.human(workspace, name=ours)
    HelpdeskAgent.objects.update(name=name, email=email)

    (line,) = client.get(f"{URL}/{ada.connection_id}/people").context["page"].lines

    assert line.suggestion == ((agent, ours) if is_like else None)


def test_two_who_are_called_alike_are_not_suggested(client, ada, workspace):
    factories.human(workspace, name="Ada Byron")
    factories.human(workspace, name="Ada Byron")

    (line,) = client.get(f"{URL}/{ada.connection_id}/people").context["page"].lines

    assert line.suggestion is None


def test_all_who_have_ratings_are_made_at_once(client, desk, ada):
    idle = HelpdeskAgent.objects.create(workspace=desk.workspace, connection=desk, external_id="12", name="Idle")

    client.post(f"{URL}/{desk.pk}/people/create")

    ada.refresh_from_db()
    idle.refresh_from_db()
    assert (ada.agent.name, idle.agent) == ("Ada Byron", None)


def test_people_are_searched_filtered_and_paged(client, desk, ada, owner):
    HelpdeskAgent.objects.bulk_create(
        HelpdeskAgent(workspace=desk.workspace, connection=desk, external_id=f"p{n}", name=f"Person {n:03}")
        for n in range(120)
    )
    mapping.map_to(HelpdeskAgent.objects.get(external_id="p7"), None, by=owner, was=None)

    def names(**query):
        shown = client.get(f"{URL}/{desk.pk}/people", query).context["page"]
        return [str(line.row) for line in shown.lines], shown.n_pages

    assert (names()[0][0], len(names()[0]), names()[1]) == ("Ada Byron", 50, 3)
    assert names(page="3")[0][-1] == "Person 007"
    assert names(q="ADA@desk") == (["Ada Byron"], 1)
    assert names(show="nobody") == (["Person 007"], 1)
    assert names(q="nobody at all") == ([], 1)
    assert names(page="99")[1] == 3


def test_people_ask_as_many_queries_for_many_as_for_few(client, desk, workspace):
    def queries():
        with CaptureQueriesContext(database) as captured:
            assert client.get(f"{URL}/{desk.pk}/people").status_code == 200
        return len(captured)

    few = queries()
    for number in range(20):
        agent = factories.human(workspace)
        HelpdeskAgent.objects.create(
            workspace=workspace, connection=desk, external_id=f"p{number}", agent=agent, mapping="id"
        )

    assert queries() == few


def test_person_of_another_connection_does_not_exist_here(client, desk, ada, owner):
    other = rated(owner, source="second")

    assert client.get(f"{URL}/{other.pk}/people/{ada.pk}").status_code == 404


def test_agent_that_was_deleted_leaves_somebody_who_stands_for_nobody(desk, ada, owner, workspace):
    ours = factories.human(workspace)
    HelpdeskAgent.objects.update(agent=ours, mapping="email")
    HelpdeskAgent.objects.update(agent=None)  # as the database does when an agent goes

    assert people_page.count(desk).n_unmapped == 1


# --- What leaders are told elsewhere -----------------------------------------------------------------------------------


def test_refused_connection_is_told_on_the_to_do_page_and_marked_at_settings(client, owner):
    made = rated(owner)
    before = client.get("/todo").content.decode()
    connections.refuse(made, "Zendesk does not accept the credentials (401). Put them in again.")

    html = client.get("/todo").content.decode()

    assert "a helpdesk needs you" not in before
    assert "a helpdesk needs you" in html
    assert "Zendesk does not accept the credentials (401). Put them in again." in html
    assert f'href="{URL}#helpdesk-{made.pk}"' in html


def test_connection_that_was_not_read_for_long_is_told(client, owner):
    made = rated(owner)
    HelpdeskSync.objects.filter(kind="recent").update(finished_at=timezone.now())
    read = list(connections_page.in_trouble(made.workspace_id, connections_page.long_ago()))

    with time_machine.travel(timezone.now() + timedelta(hours=7), tick=False):
        unread = [one.sentence for one in connections_page.troubles(made.workspace_id)]
        connections.pause(made, by=owner)
        paused = list(connections_page.in_trouble(made.workspace_id, connections_page.long_ago()))

    assert (read, paused) == ([], [])
    assert unread == ["Nothing was read for hours. Is a worker running? Tell whoever runs Touchline here."]


def test_troubles_of_another_workspace_are_not_told(client, stranger):
    connections.refuse(rated(stranger), "No.")

    assert "a helpdesk needs you" not in client.get("/todo").content.decode()
