"""Who gets what on every page: one line an address and method, asked as everybody. tests/test_api_guard.py does it for the
API, tests/admin for the back office, tests/helpdesk/test_hooks.py for where webhooks come in."""

import re
import uuid
from datetime import timedelta
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from agents import actions
from agents.models import BrowserSession, Door
from agents.pages import FRAGMENT
from agents.people import invitations
from coaching.actions import backtests, flags, hygiene, notes, proposals, samples, sessions
from coaching.coach import agendas
from coaching.pages import my_coaching
from helpdesk import clocks, deeplinks
from helpdesk.models import WebhookReceipt
from memories import actions as memories
from tests import everything, factories
from tests.coaching import brought, talks
from tests.helpdesk import connected

pytestmark = pytest.mark.django_db

everybody, people, owner = everything.everybody, everything.people, everything.owner

# Roles in the order of a line's answers: nobody, the owner of another workspace, a member without an agent, a member with
# one (`own`), an admin, the owner. `hers` is a colleague's agent, `ai` one with a coach.
ROLES = ("anonymous", "stranger", "unlinked", "linked", "admin", "owner")
# Pages of nobody in particular.
BARE = {
    "", "admin", "health/live", "health/ready", "sign-in", "sign-out", "forgot-password",
    "reset-password/<str:uidb64>/<str:token>", "reset-password/{user}/{reset}", "invitations/<str:token>", "invitations/{link}",
    "invitations/{used}",
}  # fmt: skip
ELSEWHERE = ("admin/", "api/v1/", "^api", "hooks/")  # guarded by the tests named above

SEEN = (302, 404, 404, 404, 200, 200)  # leaders see it, for others it does not exist
DONE = (302, 404, 404, 404, 302, 302)  # leaders do it and are led on
MINE = (302, 404, 404, 200, 200, 200)  # a member's own
LISTED = (302, 200, 403, 403, 200, 200)  # a list that members may not use; strangers see that of their own workspace
LED_ON = (302, 302, 403, 403, 302, 302)  # what leaders do in their own workspace, strangers in theirs
OPEN = (200,) * 6
PERSONAL = (302, 200, 200, 200, 200, 200)  # about whoever asks
OWN_DONE = (302,) * 6  # done to oneself; nobody is asked to sign in
MEMORY = {"summary": "Parcels wait at the counter.", "text": "Until noon.", "base_version": "1"}
PROCEDURE = {"name": "Pick up", "trigger": "", "content": "1. Look.", "active": "on", "base_version": "1"}
SIGNED = {"invitations/{link}"}  # whoever holds such a link may know what it opens
OWN = {"stranger": set(), "unlinked": {"workspace"}, "linked": {"workspace", "own", "shared"}}  # what they may know of
NO_ID = {"soon", "words", "vendor"}  # names of the world that are not those of a row
NEW = {"Date", "Expires", "Content-Length"}  # headers that differ from answer to answer
BACK = {"version": "1", "base_version": "2"}
PAIR = {"first": "{memory}:2", "second": "{near}:1"}
MODEL = {"key": "sk-test-0123456789", "base_url": "", "model": "", "effort": "", "version": "0"}
PATTERN = {"source": "chat", "conversation_pattern": "https://chat.example/{{id}}", "version": "0"}
DESK = {"base_url": "https://acme.zendesk.com", "email": "a@test.example", "api_token": "t", "backfill_days": "30"}
TOKEN = {"id": "6f1f1f9e-7c7e-4c3e-9a43-0b7d0c1d2e3f", "name": "Import", "scopes": "write", "expires": "30"}
NEWER = {"summary": "Refunds take two days.", "text": "", "base_version": "2"}

LINES = [
    # address, method, form, answers
    ("health/live", "GET", {}, OPEN),
    ("health/ready", "GET", {}, OPEN),
    ("sign-in", "GET", {}, (200, 302, 302, 302, 302, 302)),
    ("sign-in", "POST", {"username": "a@test.example", "password": "x"}, (200, 302, 302, 302, 302, 302)),
    ("sign-out", "POST", {}, (302,) * 6),
    ("forgot-password", "GET", {}, OPEN),
    ("forgot-password", "POST", {"email": "a@test.example"}, OPEN),
    ("reset-password/{user}/{reset}", "GET", {}, (410,) * 6),
    ("reset-password/{user}/{reset}", "POST", {"new_password1": "x", "new_password2": "x"}, (410,) * 6),
    ("invitations/{link}", "GET", {}, OPEN),
    ("invitations/{link}", "POST", {}, (400, 200, 200, 200, 200, 200)),
    ("invitations/{used}", "GET", {}, (404,) * 6),
    ("account", "GET", {}, PERSONAL),
    ("account", "POST", {"name": "Ana"}, OWN_DONE),
    ("account/password", "POST", {"old": "x", "password": "y", "again": "z"}, (302, 400, 400, 400, 400, 400)),
    ("account/sessions/end-others", "POST", {}, OWN_DONE),
    ("account/sessions/{her_session}/end", "POST", {}, (302, 404, 404, 404, 404, 302)),
    ("account/leave", "POST", {}, OWN_DONE),
    ("workspace", "POST", {"workspace": "{workspace}"}, (302, 404, 302, 302, 302, 302)),
    ("admin", "GET", {}, (302,) * 6),
    ("", "GET", {}, (302,) * 6),
    ("team", "GET", {}, (302, 200, 200, 200, 200, 200)),
    ("team?agent={ai}", "GET", {}, SEEN),
    ("team?agent={own}", "GET", {}, MINE),
    ("team?agent={hers}", "GET", {}, SEEN),
    ("team/{ai}", "GET", {}, SEEN),
    ("team/{own}", "GET", {}, MINE),
    ("team/{hers}", "GET", {}, SEEN),
    ("team/{own}/notes", "POST", {"body": "Well done."}, (302, 404, 404, 403, 302, 302)),
    ("team/{own}/notes", "POST", {"body": "x", "sample": "{her_sample}"}, (302, 404, 404, 404, 404, 404)),
    ("team/{hers}/notes", "POST", {"body": "Well done."}, DONE),
    ("team/{own}/notes?older={shared}", "GET", {}, MINE),
    ("team/{own}/notes?older={note}", "GET", {}, SEEN),
    ("team/{own}/samples", "GET", {}, (302, 404, 404, 302, 302, 302)),
    ("team/{hers}/samples", "GET", {}, DONE),
    ("team/{hers}/samples/pin", "POST", {"source": "desk", "external_id": "4711"}, DONE),
    ("team/{own}/samples/pin", "POST", {"source": "desk", "external_id": "4711"}, (302, 404, 404, 403, 302, 302)),
    ("samples/{her_sample}/unpin", "POST", {}, DONE),
    ("samples/{her_sample}/bring-back", "POST", {}, DONE),
    ("notes/{note}", "GET", {}, DONE),
    ("notes/{shared}", "GET", {}, (302, 404, 404, 302, 302, 302)),
    ("notes/{note}/edit", "GET", {}, SEEN),
    ("notes/{shared}/edit", "GET", {}, (302, 404, 404, 403, 200, 200)),
    ("notes/{note}/edit", "POST", {"body": "Ask soon.", "base_version": "1"}, DONE),
    ("notes/{shared}/edit", "POST", {"body": "Ask.", "base_version": "1"}, (302, 404, 404, 403, 302, 302)),
    ("notes/{note}/archive", "POST", {}, DONE),
    ("notes/{shared}/archive", "POST", {}, (302, 404, 404, 403, 302, 302)),
    ("notes/{note}/restore", "POST", {}, DONE),
    ("notes/{note}/history", "GET", {}, SEEN),
    ("notes/{shared}/history", "GET", {}, (302, 404, 404, 403, 200, 200)),
    ("team/{hers}/flag", "POST", {"reason": "Calls."}, DONE),
    ("team/{ai}/flag", "POST", {"reason": "Calls."}, DONE),
    ("flags/{flag}", "GET", {}, SEEN),
    ("flags/{flag}/reopen", "POST", {}, (302, 404, 404, 404, 409, 409)),
    ("flags/{dismissed}/reopen", "POST", {}, DONE),
    ("flags/{flag}/coached", "POST", {"coached": "1"}, DONE),
    ("flags/{flag}/coached", "POST", {}, DONE),
    ("flags/{flag}/cause", "POST", {"cause": "product"}, DONE),
    ("flags/{flag}/dismiss", "POST", {"reason": "A holiday."}, DONE),
    ("todo", "GET", {}, LISTED),
    ("todo?agent={hers}", "GET", {}, (302, 404, 403, 403, 200, 200)),
    ("todo/flags/{flag}/done", "POST", {}, DONE),
    ("todo/flags/{flag}/not-done", "POST", {}, DONE),
    ("todo/flags/{flag}/dismiss", "POST", {"reason": "A holiday."}, DONE),
    ("todo/flags/{dismissed}/reopen", "POST", {}, DONE),
    ("todo/follow-ups/{note}/done", "POST", {}, DONE),
    ("todo/follow-ups/{note}/not-done", "POST", {}, DONE),
    ("todo/follow-ups/{shared}/done", "POST", {}, (302, 404, 404, 403, 302, 302)),
    ("todo/follow-ups/{note}/snooze", "POST", {"day": "{soon}"}, DONE),
    ("todo/follow-ups/{shared}/snooze", "POST", {"day": "{soon}"}, (302, 404, 404, 403, 302, 302)),
    ("todo/follow-ups/{note}/unsnooze", "POST", {"version": "2"}, DONE),
    ("todo/follow-ups/{note}.ics", "GET", {}, SEEN),
    ("todo/follow-ups/{shared}.ics", "GET", {}, SEEN),
    ("todo/calendar", "GET", {}, LISTED),
    ("todo/calendar/renew", "POST", {"number": "1"}, LED_ON),
    ("my-coaching", "GET", {}, (302, 200, 200, 200, 200, 200)),
    ("my-coaching/notes/{shared}/read", "POST", {"words": "{words}"}, (302, 404, 404, 302, 404, 404)),
    ("my-coaching/notes/{note}/read", "POST", {"words": "{words}"}, (302, 404, 404, 404, 404, 404)),
    ("my-coaching/notes/{shared}/unread", "POST", {}, (302, 404, 404, 302, 404, 404)),
    ("my-coaching/notes/{note}/unread", "POST", {}, (302, 404, 404, 404, 404, 404)),
    ("decisions", "GET", {}, LISTED),
    ("decisions", "POST", {}, LISTED),
    ("decisions.csv", "GET", {}, LISTED),
    ("decisions.jsonl", "GET", {}, LISTED),
    ("decisions/{entry}/take-back", "GET", {}, SEEN),
    ("decisions/{entry}/take-back", "POST", {}, DONE),
    ("agents/{ai}", "GET", {}, SEEN),
    ("agents/{own}", "GET", {}, (302, 404, 404, 403, 200, 200)),
    ("agents/{hers}", "GET", {}, SEEN),
    ("agents/{ai}/history", "GET", {}, SEEN),
    ("agents/{own}/history", "GET", {}, (302, 404, 404, 403, 200, 200)),
    ("agents/{ai}/coaching", "GET", {}, SEEN),
    ("agents/{ai}/coaching/ask", "POST", {"text": "Is there a pattern?"}, DONE),
    ("agents/{ai}/settings", "GET", {}, SEEN),
    ("agents/{ai}/settings", "POST", {"coaching": "on", "storage_mode": "masked", "retention_days": "30"}, DONE),
    ("agents/{ai}/export", "GET", {}, SEEN),
    ("agents/{own}/export", "GET", {}, (302, 404, 404, 403, 404, 404)),
    ("agents/{ai}/imports", "GET", {}, DONE),
    ("agents/{ai}/imports", "POST", {}, (302, 404, 404, 404, 400, 400)),
    ("agents/{ai}/imports/{import}", "GET", {}, SEEN),
    ("agents/{other_ai}/imports/{import}", "GET", {}, (302, 404, 404, 404, 404, 404)),
    ("agents/{ai}/imports/{import}/apply", "POST", {"how": "proposals", "step": "0"}, DONE),
    ("agents/{ai}/imports/{import}/apply", "POST", {"how": "direct", "step": "0"}, (302, 404, 404, 404, 403, 302)),
    ("agents/{ai}/imports/{import}/discard", "POST", {}, DONE),
    ("agents/{ai}/imports/{import}/go-on", "POST", {}, DONE),
    ("agents/{ai}/memory", "GET", {}, SEEN),
    ("agents/{ai}/memory?q=refund", "GET", {}, SEEN),
    ("agents/{ai}/memory/check", "GET", {}, SEEN),
    ("agents/{ai}/memory/check?show=unchecked&months=3", "GET", {}, SEEN),
    ("agents/{own}/memory/check", "GET", {}, (302, 404, 404, 403, 404, 404)),
    ("agents/{ai}/memory/check/pair", "POST", PAIR | {"do": "keep-both"}, DONE),
    ("agents/{ai}/memory/check/pair", "POST", PAIR | {"do": "keep-first"}, DONE),
    ("agents/{ai}/memory/check/merge?first={memory}:2&second={near}:1", "GET", {}, SEEN),
    ("agents/{ai}/memory/check/merge?first={memory}:2&second={near}:1", "POST", MEMORY, DONE),
    (
        "agents/{other_ai}/memory/check/merge?first={memory}:2&second={near}:1",
        "GET",
        {},
        (302, 404, 404, 404, 404, 404),
    ),
    ("agents/{ai}/memory/check/kept", "POST", {"kept": "{kept}"}, DONE),
    ("agents/{other_ai}/memory/check/kept", "POST", {"kept": "{kept}"}, (302, 404, 404, 404, 404, 404)),
    ("agents/{ai}/memory/check/entries", "POST", {"do": "confirm", "entry": "{memory}:2"}, DONE),
    ("agents/{ai}/memory/check/entries", "POST", {"do": "remove", "entry": "{near}:1"}, DONE),
    ("agents/{ai}/memory/new", "GET", {}, SEEN),
    ("agents/{ai}/memory/new", "POST", MEMORY, DONE),
    ("agents/{ai}/memory/{memory}", "GET", {}, SEEN),
    ("agents/{other_ai}/memory/{memory}", "GET", {}, (302, 404, 404, 404, 404, 404)),
    ("agents/{ai}/memory/{memory}/edit", "GET", {}, SEEN),
    ("agents/{ai}/memory/{memory}/edit", "POST", MEMORY | {"base_version": "2"}, DONE),
    ("agents/{ai}/memory/{memory}/remove", "POST", {"base_version": "2"}, DONE),
    ("agents/{ai}/memory/{gone}/restore", "POST", {}, DONE),
    ("agents/{ai}/memory/{memory}/bring-back", "POST", BACK, DONE),
    ("agents/{ai}/procedures", "GET", {}, SEEN),
    ("agents/{ai}/procedures/new", "GET", {}, SEEN),
    ("agents/{ai}/procedures/new", "POST", PROCEDURE, DONE),
    ("agents/{ai}/procedures/{procedure}", "GET", {}, SEEN),
    ("agents/{ai}/procedures/{procedure}/edit", "GET", {}, SEEN),
    ("agents/{ai}/procedures/{procedure}/edit", "POST", PROCEDURE | {"base_version": "2"}, DONE),
    ("agents/{ai}/procedures/{procedure}/remove", "POST", {"base_version": "2"}, DONE),
    ("agents/{ai}/procedures/{gone_procedure}/restore", "POST", {}, DONE),
    ("agents/{ai}/procedures/{procedure}/bring-back", "POST", BACK, DONE),
    ("agents/{ai}/prompt", "GET", {}, SEEN),
    ("agents/{ai}/prompt/edit", "GET", {}, SEEN),
    ("agents/{ai}/prompt/edit", "POST", {"system_prompt": "Be brief.", "base_version": "2"}, DONE),
    ("agents/{ai}/prompt/bring-back", "POST", BACK, DONE),
    ("agents/{ai}/configurations", "GET", {}, SEEN),
    ("agents/{ai}/configurations?from=1&to=2", "GET", {}, SEEN),
    ("agents/{ai}/configurations/as-of?asOf=2026-01-01T10:00", "GET", {}, (302, 404, 404, 404, 400, 400)),
    ("agents/{ai}/configurations/{number}", "GET", {}, SEEN),
    ("help/after-coaching", "GET", {}, LISTED),
    ("settings", "GET", {}, LED_ON),
    ("settings/workspace", "GET", {}, LISTED),
    ("settings/workspace", "POST", {"name": "Harbour desk"}, LED_ON),
    ("settings/workspace", "POST", {"time_zone": "Asia/Tokyo"}, (302, 302, 403, 403, 409, 409)),
    ("settings/workspace/clock", "GET", {}, LED_ON),
    ("settings/workspace/clock/{zone_change}/try-again", "POST", {}, DONE),
    ("settings/helpdesks", "GET", {}, LISTED),
    ("settings/helpdesks/connect/{vendor}", "GET", {}, LISTED),
    ("settings/helpdesks/connect/{vendor}", "POST", DESK | {"source": "second", "version": "0"}, LED_ON),
    ("settings/helpdesks/{desk}", "GET", {}, DONE),
    ("settings/helpdesks/{desk}/change", "GET", {}, SEEN),
    ("settings/helpdesks/{desk}/change", "POST", DESK | {"version": "1"}, DONE),
    ("settings/helpdesks/{desk}/read", "POST", {}, DONE),
    ("settings/helpdesks/{desk}/test", "POST", {}, DONE),
    ("settings/helpdesks/{desk}/pause", "POST", {}, DONE),
    ("settings/helpdesks/{desk}/resume", "POST", {}, DONE),
    ("settings/helpdesks/{desk}/disconnect", "POST", {}, DONE),
    ("settings/helpdesks/{desk}/people", "GET", {}, SEEN),
    ("settings/helpdesks/{desk}/people/create", "POST", {}, DONE),
    ("settings/helpdesks/{desk}/people/{desk_person}", "GET", {}, DONE),
    ("settings/helpdesks/{desk}/people/{desk_person}", "POST", {"create": "1", "was": ""}, DONE),
    ("settings/helpdesks/{desk}/people/{desk_person}", "POST", {"suggested": "{hers}", "was": ""}, DONE),
    ("settings/slack", "GET", {}, LISTED),
    ("settings/slack?removed={coach}", "GET", {}, LISTED),
    ("settings/slack/policy", "POST", {"quotes": "on", "version": "0"}, LED_ON),
    ("settings/slack/install", "GET", {}, LED_ON),
    ("settings/slack/connect", "GET", {}, LISTED),
    ("settings/slack/connect", "POST", {"bot_token": "none", "version": "0"}, (302, 400, 403, 403, 400, 400)),
    ("settings/slack/channels", "GET", {}, LISTED),
    ("settings/slack/coaches/add", "GET", {}, (302, 302, 403, 403, 200, 200)),
    ("settings/slack/coaches/add", "POST", {"version": "0"}, (302, 302, 403, 403, 400, 400)),
    ("settings/slack/coaches/{coach}", "GET", {}, SEEN),
    ("settings/slack/coaches/{coach}", "POST", {"agent": "{ai}", "version": "1"}, DONE),
    ("settings/slack/coaches/{coach}/remove", "POST", {}, DONE),
    ("settings/slack/coaches/{coach}/bring-back", "POST", {}, DONE),
    ("settings/slack/{slack}/change", "GET", {}, SEEN),
    ("settings/slack/{slack}/change", "POST", {"bot_token": "none", "version": "1"}, (302, 404, 404, 404, 400, 400)),
    ("settings/slack/{slack}/check", "POST", {}, DONE),
    ("settings/slack/{slack}/disconnect", "POST", {}, DONE),
    ("settings/deep-links", "GET", {}, LISTED),
    ("settings/deep-links", "POST", PATTERN, LED_ON),
    ("settings/deep-links/preview", "POST", PATTERN, LED_ON),
    ("settings/deep-links/{deep_link}/remove", "POST", {}, DONE),
    ("settings/tokens", "GET", {}, LISTED),
    ("settings/tokens", "POST", TOKEN, LISTED),
    ("settings/tokens/{token}/revoke", "POST", {}, DONE),
    ("settings/retention", "GET", {}, LISTED),
    ("settings/retention", "POST", {"all": "1", "all-storage_mode": "masked", "all-retention_days": "30"}, LED_ON),
    ("settings/flags", "GET", {}, LISTED),
    ("settings/flags?level=early&page=2", "GET", {}, LISTED),
    ("settings/flags", "POST", {"automatic": "on", "sensitivity": "early"}, LED_ON),
    ("settings/flags/backtest", "GET", {}, LED_ON),
    ("settings/flags/backtest", "POST", {}, LED_ON),
    ("settings/flags/backtest/{backtest}/stop", "POST", {}, DONE),
    ("settings/members", "GET", {}, LISTED),
    ("settings/members?q=person&which=left&page=2", "GET", {}, LISTED),
    ("settings/members", "POST", {"email": "n@test.example", "role": "member"}, LED_ON),
    ("settings/members/free-rows?agent=a", "GET", {}, LISTED),
    ("settings/members/{colleague}", "GET", {}, SEEN),
    ("settings/members/{colleague}/role", "POST", {"role": "admin"}, DONE),
    ("settings/members/{colleague}/agent", "POST", {"agent": ""}, DONE),
    ("settings/members/{colleague}/remove", "POST", {}, DONE),
    (
        "settings/members/{colleague}/hand-over",
        "POST",
        {"confirmation": "{workspace_name}", "password": factories.PASSWORD},
        (302, 404, 404, 404, 403, 302),
    ),
    ("settings/invitations", "GET", {}, LED_ON),
    ("settings/invitations/{invitation}/send", "POST", {}, DONE),
    ("settings/invitations/{invitation}/revoke", "POST", {}, DONE),
    ("settings/model", "GET", {}, LISTED),
    ("settings/model", "POST", MODEL, LED_ON),
    ("settings/model/test", "GET", {}, LED_ON),
    ("settings/model/test", "POST", {}, LED_ON),
    ("settings/model/disconnect", "POST", {"version": "1"}, LED_ON),
    ("conversations", "GET", {}, LISTED),
    ("conversations/{talk}/transcript", "GET", {}, DONE),
    ("conversations/{talk}", "GET", {}, SEEN),
    ("conversations/{own_talk}", "GET", {}, SEEN),
    ("conversations/{talk}/ask", "POST", {"text": "What went wrong?", "turn": "1"}, DONE),
    ("coach/sessions/{session}", "GET", {}, SEEN),
    ("coach/sessions/{session}/stream", "GET", {}, SEEN),
    ("coach/sessions/{session}/log", "GET", {}, DONE),
    ("coach/turns/{turn}", "GET", {}, DONE),
    ("coach/turns/{turn}/stop", "POST", {}, DONE),
    ("coach/turns/{turn}/retry", "POST", {}, DONE),
    ("coach/turns/{turn}/next", "POST", {"number": "1"}, DONE),
    ("agents/{ai}/coaching/set", "POST", {}, DONE),
    ("agents/{ai}/coaching/set?flagged=1", "POST", {"quick": "Is this a pattern?"}, DONE),
    ("flags/{ai_flag}/ask", "POST", {"quick": "Is this a pattern?"}, DONE),
    ("proposals", "GET", {}, LISTED),
    ("proposals?session={session}&q=parcel", "GET", {}, LISTED),
    ("proposals/decide", "GET", {}, LED_ON),
    ("proposals/decide", "POST", {"verdict": "reject", "chosen": "{proposal}"}, LED_ON),
    ("proposals/decide", "POST", {"verdict": "approve", "chosen": "{proposal}", "sure": "1"}, LED_ON),
    ("proposals/{proposal}", "GET", {}, SEEN),
    ("proposals/{proposal}/approve", "POST", {}, DONE),
    ("proposals/{proposal}/reject", "POST", {"reason": "No."}, DONE),
    ("proposals/{proposal}/edit", "GET", {}, SEEN),
    ("proposals/{proposal}/edit", "POST", MEMORY, SEEN),
    ("proposals/{proposal}/live", "GET", {}, SEEN),
    ("proposals/{stale}/rebase", "POST", NEWER | {"edited": "1"}, DONE),
    ("proposals/{applied}/take-back", "GET", {}, SEEN),
    ("proposals/{applied}/take-back", "POST", {}, DONE),
]
POSTS = [line for line in LINES if line[1] == "POST"]


@pytest.fixture(scope="module")
def world(lasting, everybody):
    return lasting(lambda: one_of_every_page(everybody["owner"], everybody["linked"].agent))


def one_of_every_page(owner, own):
    """One row of everything, {name: id} by the names that the lines use."""
    workspace, agent, hers = owner.workspace, factories.ai_agent(owner.workspace), factories.human(owner.workspace)
    changed = {"by": owner, "door": Door.PAGE, "base_version": 1, "reason": ""}
    memory, gone = factories.memory(agent, owner), factories.memory(agent, owner, summary="Old.")
    procedure, gone_procedure = factories.procedure(agent, owner), factories.procedure(agent, owner)
    stale = factories.proposal(agent, type="memory_entry_update", target_id=memory.pk, change={"summary": "Slow."})
    memories.revise(memory, changes={"summary": "Refunds are quick."}, **changed)
    actions.revise(procedure, changes={"content": "1. Wait."}, **changed)
    actions.change_prompt(agent.prompt, system_prompt="Be kind.", base_version=1, by=owner, door=Door.PAGE, reason="")
    for removed in (gone, gone_procedure):
        actions.remove(removed, base_version=1, by=owner, door=Door.PAGE)
    tomorrow = timezone.now() + timedelta(days=1)
    note, shared = (
        notes.write(own, by=owner, body="Ask again.", follow_up_at=tomorrow, shared_with_agent=both)
        for both in (False, True)
    )
    dismissed = flags.dismiss(flags.raise_manual(hers, by=owner, reason="Talk."), by=owner, reason="No.")
    near = factories.memory(agent, owner, summary="Refunds are quick today.")
    kept = hygiene.keep_both(agent, hygiene.Read(near.pk, 1), hygiene.Read(memory.pk, 2), by=owner)
    talk, session = talks.conversation(agent), factories.session(agent, owner)
    applied = proposals.approve(factories.proposal(agent), by=owner, door=Door.PAGE)
    desk = connected.rated(owner)
    desk.syncs.update(refused=[{"id": "r 9", "detail": "It has no time."}], n_refused=1)
    desk.tests.update(checks=[{"name": "Sign in", "state": "failed", "sentence": "It is not known."}])
    desk.receipts.create(workspace=workspace, event_id="e1", event="rated")
    slack = factories.slack_connection(workspace, bot_token="none")  # of a form with which Slack is never asked
    rows = {
        "ai": agent,
        "other_ai": factories.ai_agent(workspace),
        "own": own,
        "hers": hers,
        "memory": memory,
        "gone": gone,
        "near": near,
        "kept": kept,
        "procedure": procedure,
        "gone_procedure": gone_procedure,
        "note": note,
        "shared": shared,
        "dismissed": dismissed,
        "flag": flags.raise_manual(own, by=owner, reason="Talk."),
        "ai_flag": flags.raise_manual(factories.ai_agent(workspace), by=owner, reason="Talk."),
        "her_sample": samples.pin(factories.conversation(hers), by=owner),
        "talk": talk,
        "own_talk": factories.conversation(own),
        "backtest": backtests.ask(workspace, by=owner),
        "session": session,
        "turn": sessions.ask(session, by=owner, text="Is there a pattern?"),
        "proposal": factories.proposal(agent),
        "stale": stale,
        "applied": applied,
        "zone_change": clocks.ask(workspace, by=owner, time_zone="Europe/Oslo"),
        "deep_link": deeplinks.save(
            workspace, source="desk", conversation_pattern="https://desk.example/{id}", by=owner
        ),
        "desk": desk,
        "slack": slack,
        "coach": factories.slack_trigger(slack, agent),
        "desk_person": desk.helpdesk_agents.get(),
        "token": factories.token(owner) and workspace.tokens.get(),
        "import": brought.planned(
            agent, owner, {"configuration.yaml": "format: 1\n", "memories/a.md": "---\nsummary: New.\n---\n"}
        ),
    }
    agendas.draft(rows["flag"])
    asked = invitations.invite(workspace, "new@test.example", by=owner)
    named = {
        "link": invitations.link(asked).rsplit("/", 1)[1],
        "used": "forged",
        "user": "MQ",
        "reset": "0-0",
        "workspace_name": workspace.name,
        "her_session": str(signed_in_elsewhere(owner).id),
    }
    rows |= {
        "colleague": factories.member(workspace),
        "invitation": asked,
        "workspace": workspace,
    }
    entry = workspace.decisions.get(proposal_id=applied.pk)
    told = {"vendor": "zendesk", "entry": str(entry.number), "number": "2", "words": my_coaching.words_of(shared)}
    soon = {"soon": f"{tomorrow + timedelta(days=9):%Y-%m-%d}"}
    return {name: str(row.pk) for name, row in rows.items()} | named | told | soon


def signed_in_elsewhere(member):
    """A browser session of theirs."""
    browser = Client()
    browser.force_login(member.user)
    return BrowserSession.objects.get(pk=browser.session.session_key)


@pytest.fixture
def ask(db):
    """A function: member or None, address, method, form, ids, headers, options of the client -> response.

    Nothing that the request did stays, neither here nor in the browser: everybody signs in once, and comes to each question
    with the cookies of then.
    """
    browsers = {}

    def browser_of(member, options):
        key = (member and member.pk, *sorted(options.items()))
        if key not in browsers:
            browser = Client(**options)
            if member is not None:
                browser.force_login(member.user)
            browsers[key] = browser, browser.cookies.output(header="")
        browser, cookies = browsers[key]
        browser.cookies = SimpleCookie(cookies)
        return browser

    def answer(member, address, method, form, ids, *, headers=None, **options):
        browser = browser_of(member, options)
        typed = {name: value.format(**ids) for name, value in form.items()}
        call = {"GET": browser.get, "POST": browser.post}[method]
        before = transaction.savepoint()
        response = call(f"/{address.format(**ids)}", typed if method == "POST" else None, headers=headers)
        transaction.savepoint_rollback(before)
        return response

    return answer


def way_in(response):
    """Where somebody who is not signed in is led: by a redirect, or by the page that gives back what they had written."""
    shown = (
        re.search(r'href="(/sign-in\?next=[^"]*)"', response.content.decode()) if response.status_code == 403 else None
    )
    return shown[1] if shown else response.headers.get("Location", "")


def test_page_answers_each_role_as_its_line_says(world, people, ask):
    for address, method, form, answers in LINES:
        told = [ask(member, address, method, form, world) for member in people.values()]

        line = f"{method} /{address} {form}"
        came = 302 if way_in(told[0]) else told[0].status_code
        assert (line, (came, *(response.status_code for response in told[1:]))) == (line, answers)
        assert (line, [inline(response) for response in told]) == (line, [[]] * len(ROLES))
        for response in told:
            assert response["Content-Security-Policy"].startswith("default-src 'self'")
        if address not in BARE:
            assert way_in(told[0]).startswith("/sign-in?next=/")


@pytest.mark.parametrize("fragment", [False, True], ids=["page", "fragment"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("role", ["stranger", "unlinked", "linked"])
def test_id_of_others_is_answered_as_one_that_is_not_there(world, people, ask, role, method, fragment):
    """Byte for byte, but for the id that was asked for and the token against forged forms, which is new in every answer."""
    elsewhere = [
        line for line in LINES if names_a_row(line) and line[0] not in SIGNED and not is_theirs(line, role, method)
    ]
    forms = [(address, form if method == "POST" else {}) for address, _, form, _ in elsewhere]
    headers = {FRAGMENT: "partial"} if fragment else {}

    compared = 0
    for address, form in {str(line): line for line in forms}.values():
        seen, missing = (
            told(ask(people[role], address, method, form, ids, headers=headers), ids) for ids in (world, nowhere(world))
        )
        assert (method, address, form, seen) == (method, address, form, missing)
        compared += 1
    assert compared > 60


def names_a_row(line):
    return bool(set(re.findall(r"\{(\w+)\}", " ".join([line[0], *line[2].values()]))) - NO_ID)


def is_theirs(line, role, method):
    """Whether somebody in this role may know that what the line names is there."""
    address, asked, form, answers = line
    named = set(re.findall(r"\{(\w+)\}", " ".join([address, *form.values()])))
    return (asked != method or answers[ROLES.index(role)] != 404) and bool(named & OWN[role])


def nowhere(world):
    """The names of the world with ids that nothing has."""
    ids = {name: str(uuid.UUID(int=number)) for number, name in enumerate(world, 1) if name not in NO_ID}
    return world | ids | {name: "987654" for name, value in world.items() if value.isdecimal()}


def body_of(response):
    """The bytes of an answer; none of a stream that would not end."""
    if response.get("Content-Type", "").startswith("text/event-stream"):
        return b""
    return b"".join(response) if response.streaming else response.content


def told(response, ids):
    """(status, headers, cookies, body) of an answer, with ids, tokens against forged forms and the new id of a form left open."""
    text = re.sub(
        r"\b[A-Za-z0-9]{64}\b", "{token}", body_of(response).decode(errors="replace")
    )  # first: one may hold an id
    text = re.sub(r'(<input type="hidden" name="id" value=")[0-9a-f-]{36}"', r'\1{new}"', text)
    headers = "\n".join(f"{name}: {value}" for name, value in sorted(response.headers.items()) if name not in NEW)
    cookies = {name: {**cookie, "expires": ""} for name, cookie in response.cookies.items()}
    for value in sorted({value for name, value in ids.items() if name not in NO_ID}, key=len, reverse=True):
        if not value.isdecimal():
            text, headers = text.replace(value, "{id}"), headers.replace(value, "{id}")
        elif headers:
            headers = re.sub(rf"(?<=/){value}(?=/|$)", "{id}", headers, flags=re.M)
    return response.status_code, headers, cookies, text


def test_no_form_is_taken_without_its_token(world, owner, ask):
    codes = {line[0]: ask(owner, *line[:3], world, enforce_csrf_checks=True).status_code for line in POSTS}

    assert codes == dict.fromkeys(codes, 403)


# Where webhooks come in, each with the test of who is believed there; the last is a page in a browser, led there by Slack.
HOOKS = {
    "hooks/<slug:vendor>/<uuid:connection_id>": "helpdesk/test_hooks.py",
    "hooks/slack/events": "coaching/slack/test_hooks.py",
    "hooks/slack/actions": "coaching/slack/test_hooks.py",
    "hooks/slack/oauth": "coaching/slack/test_install.py",
}


def test_every_address_of_webhooks_believes_nobody_without_a_proof(world, people):
    found = {where for where in addresses() if where.startswith("hooks/")}

    assert found == HOOKS.keys()
    assert all((Path(__file__).parent / test).exists() for test in HOOKS.values())
    for where in sorted(found - {"hooks/slack/oauth"}):
        for vendor in ("zendesk", "generic"):
            address = where.replace("<slug:vendor>", vendor).replace("<uuid:connection_id>", world["desk"])
            for member in people.values():
                browser = Client(enforce_csrf_checks=True)
                if member is not None:
                    browser.force_login(member.user)
                answer = browser.post(f"/{address}", b'{"id": "1", "items": []}', content_type="application/json")
                assert answer.status_code in (400, 401, 404), address
    assert not WebhookReceipt.objects.exclude(event_id="e1").exists()


def test_every_page_and_method_has_its_line(owner):
    """A method is one that the page does not answer with "method not allowed"."""
    browser = Client()
    browser.force_login(owner.user)
    written = set()
    for where in pages():
        address = "/" + re.sub(r"<[^>]*>", str(uuid.UUID(int=0)), re.sub(r"<int:[^>]*>", "1", where))
        for method in ("GET", "POST") if where in BARE else ("GET", "POST", "PUT", "PATCH", "DELETE"):
            if where in BARE or browser.generic(method, address).status_code != 405:
                written.add((shape(where), method))

    asked = {(shape(address), method) for address, method, *_ in LINES}
    assert {line for line in written if line[0] not in BARE} == {line for line in asked if line[0] not in BARE}
    assert {address for address, _ in written} == {address for address, _ in asked}


def pages():
    """Every address as it is written, without those that other tests guard."""
    return [where for where in addresses() if not where.startswith(ELSEWHERE)]


def addresses():
    """Every address of config.urls as it is written."""
    waiting = [("", pattern) for pattern in get_resolver().url_patterns]
    while waiting:
        prefix, pattern = waiting.pop()
        where = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield where
        else:
            waiting += [(where, inner) for inner in pattern.url_patterns]


def shape(address):
    """The address with every id left open: `agents/{}/memory`."""
    return re.sub(r"<[^>]*>|\{[^}]*\}", "{}", address.partition("?")[0])


class Inline(HTMLParser):
    """Collects what the policy would refuse."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.found.append(self.get_starttag_text())
        for name, value in attributes:
            inline_code = name == "style" or name.startswith("on") or (value or "").strip().startswith("javascript:")
            evaluated = name.startswith("hx-on") or (name in ("hx-vals", "hx-headers") and "js:" in (value or ""))
            if inline_code or evaluated:
                self.found.append(f"{name}={value}")


def inline(response):
    """Scripts, styles and handlers inside a page."""
    if not response.get("Content-Type", "").startswith("text/html"):
        return []
    reader = Inline()
    reader.feed(response.content.decode())
    return reader.found
