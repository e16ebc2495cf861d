"""Staff of one workspace, an operator of the whole installation, and whole workspaces with one row of every kind."""

import copy
import secrets
from datetime import timedelta

import pytest
from django.contrib import admin
from django.utils import timezone

from agents import actions
from agents.models import ApiToken, BrowserSession, Door, ExternalId, Invitation, Member, PasswordReset
from coaching.actions import backtests, connections, flags, hygiene, imports, notes, policies, sessions
from coaching.models import (
    CalendarFeed,
    Note,
    NoteEffect,
    Reminder,
    Sample,
    SlackInstallation,
    SlackPace,
    SlackPolicy,
    SlackPost,
    SlackReceipt,
    SlackThread,
    Sweep,
)
from helpdesk import clocks
from helpdesk.actions import connections as helpdesks
from helpdesk.actions import record_ratings
from helpdesk.models import DeepLink, HelpdeskAgent, HelpdeskSync, WebhookReceipt
from tests import factories
from tests.factories.ratings import good_or_bad


def furnish(word):
    """A workspace with at least one row in every list of the back office; every name in it carries `word`."""
    workspace = factories.workspace(name=f"{word} desk")
    owner = factories.owner(workspace, name=f"{word} owner", is_staff=True)
    person = factories.human(workspace, name=f"{word} person", team=f"{word} team")
    factories.member(workspace, agent=person, name=f"{word} colleague")
    factories.human(workspace, name=f"{word} newcomer", team=f"{word} team")
    agent = factories.ai_agent(workspace, name=f"{word} assistant", team=f"{word} helpers")
    ExternalId.objects.create(workspace=workspace, agent=person, source="desk", value=f"{word}-1")
    gone = factories.memory(agent, owner, summary=f"{word} memory that goes.")
    actions.remove(gone, base_version=1, by=owner, door=Door.PAGE)
    pair = [factories.memory(agent, owner, summary=f"{word} memory{more}.") for more in ("", " beside it")]
    hygiene.keep_both(agent, *(hygiene.Read(one.pk, one.version) for one in pair), by=owner)
    factories.procedure(agent, owner, name=f"{word} procedure")
    factories.proposal(agent, change={"summary": f"{word} proposal.", "text": ""})
    record_ratings(
        workspace, [good_or_bad(person, timezone.now().date() - timedelta(days=1), good=False, source="desk")]
    )
    conversation = workspace.conversations.get()
    session = factories.session(agent, owner)
    sessions.ask(session, by=owner, text=f"{word} question")
    flags.raise_manual(person, by=owner, reason=f"{word} reason")
    sample = Sample.objects.create(workspace=workspace, agent=person, conversation=conversation)
    notes.write(person, by=owner, body=f"{word} note", sample=sample)
    factories.token(owner)
    ApiToken.objects.filter(workspace=workspace).update(name=f"{word} token")
    DeepLink.objects.create(
        workspace=workspace, source=f"{word.lower()}-desk", conversation_pattern="https://desk.example/{id}"
    )
    Sweep.objects.get_or_create(workspace=workspace)
    policies.choose(workspace, by=owner, sensitivity="early", automatic=True)
    backtests.ask(workspace, by=owner)
    imports.plan(agent, imports.export(agent, by=owner)[1], by=owner, file_name=f"{word}.zip")
    model = {
        "key": f"sk-{word}-0123456789",
        "base_url": "",
        "model": f"{word.replace(' ', '-')}-model",
        "effort": "high",
        "version": 0,
    }
    connections.connect(workspace, by=owner, **model)
    rows_of_people(word, workspace, owner, person)
    rows_of_helpdesks(word, workspace, owner)
    rows_of_slack(word, owner, agent)
    return workspace


def rows_of_slack(word, owner, agent):
    """A connection, a coach in a channel, a policy, somebody there, and an installation that was begun."""
    workspace = owner.workspace
    connection = factories.slack_connection(workspace, team_name=f"{word} team in Slack", bot_token=f"token-of-{word}")
    trigger = factories.slack_trigger(connection, agent, channel_name=f"{word.lower()}-coaching")
    rows_of_talks_in_slack(connection, trigger, owner)
    SlackPolicy.objects.create(workspace=workspace, flags_channel_name=f"{word.lower()}-flags")
    factories.slack_person(connection, owner, name=f"{word} person in Slack")
    SlackInstallation.objects.create(
        workspace=workspace, member=owner, state_hash=secrets.token_hex(32), expires_at=timezone.now()
    )


def rows_of_talks_in_slack(connection, trigger, owner):
    """A thread that the coach owns, something Slack told, and how fast it may be called."""
    of_it = {"workspace": connection.workspace, "connection": connection}
    session = factories.session(trigger.agent, owner)
    SlackThread.objects.create(
        **of_it, trigger=trigger, channel_id=trigger.channel_id, thread_ts="1.0", session=session
    )
    told = {"kind": "event", "key": "event:1", "type": "app_mention", "payload": {"text": "Words of theirs"}}
    SlackReceipt.objects.create(**of_it, **told)
    posted = {"kind": "proposal", "proposal": trigger.agent.proposals.get(), "channel_id": trigger.channel_id}
    SlackPost.objects.create(**of_it, **posted)
    SlackPace.objects.create(**of_it, method="chat.postMessage", channel_id=trigger.channel_id)


def rows_of_helpdesks(word, workspace, owner):
    """A connection, one row that reads it, somebody it knows, and a webhook that came in."""
    name = f"{word.lower().replace(' ', '-')}-desk"
    told = {"email": f"{name}@test.example", "api_token": f"token-of-{name}"}
    connection = helpdesks.connect(
        workspace, vendor="zendesk", source=name, base_url=f"https://{name}.zendesk.com", credentials=told, by=owner
    )
    HelpdeskSync.objects.filter(connection=connection).exclude(kind="backfill").delete()
    of_it = {"workspace": workspace, "connection": connection}
    HelpdeskAgent.objects.create(**of_it, external_id="1", name=f"{word} helper")
    WebhookReceipt.objects.create(**of_it, event_id=f"{word}-1", event="rated", conversation_id="1")


def rows_of_people(word, workspace, owner, person):
    """What is owed to people, where they are signed in, and what is measured of a note."""
    tomorrow = timezone.now() + timedelta(days=1)
    note = Note.objects.get(agent=person)
    Reminder.objects.create(workspace=workspace, note=note, follow_up_at=tomorrow)
    NoteEffect.objects.update_or_create(workspace=workspace, note=note, defaults={"day": tomorrow.date(), "result": {}})
    CalendarFeed.objects.update_or_create(workspace=workspace, member=owner, defaults={"number": 7_340_117})
    email = f"{word.lower().replace(' ', '-')}-new@test.example"
    Invitation.objects.create(workspace=workspace, email=email, invited_by=owner, expires_at=tomorrow, number=7_340_118)
    PasswordReset.objects.create(user=owner.user)
    BrowserSession.objects.create(
        session_key=secrets.token_hex(16),
        expire_date=tomorrow,
        user=owner.user,
        browser=f"{word} browser",
        place="192.0.2.7",
    )
    clocks.ask(workspace, by=owner, time_zone="Asia/Tokyo")


@pytest.fixture(scope="module")
def our_desk(lasting):
    return lasting(lambda: furnish("Ours"))


@pytest.fixture(scope="module")
def their_desk(lasting):
    return lasting(lambda: furnish("Elsewhere"))


@pytest.fixture
def ours(our_desk, db):
    return copy.deepcopy(our_desk)


@pytest.fixture
def theirs(their_desk, db):
    return copy.deepcopy(their_desk)


@pytest.fixture
def staff(ours, client):
    """The owner of our workspace, signed in: staff, not a superuser."""
    member = Member.objects.get(workspace=ours, role=Member.Role.OWNER)
    client.force_login(member.user)
    return member


@pytest.fixture
def operator(db, client):
    """A superuser who is a member nowhere, signed in."""
    user = factories.user(is_staff=True, is_superuser=True, name="Operator")
    client.force_login(user)
    return user


@pytest.fixture
def press(client):
    """A function: row, button, words -> the messages that the next page shows."""

    def pressed(row, name, words="", **sent):
        answer = client.post(page_of(row), {"_button": name, "_words": words, **sent}, follow=True)
        assert answer.status_code == 200
        return [str(message) for message in answer.context["messages"]]

    return pressed


def called(row):
    """What the address of a row's page calls it: never by the key that opens a browser session."""
    return row.id if isinstance(row, BrowserSession) else row.pk


def page_of(row):
    """The address of a row's page."""
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{called(row)}/change/"


def shown(client, row):
    """The names of the buttons on a row's page."""
    return [button["name"] for button in client.get(page_of(row)).context["buttons"]]


def registered():
    """Every ModelAdmin of the back office, as pytest parameters."""
    return [pytest.param(back, id=model._meta.label_lower) for model, back in admin.site._registry.items()]
