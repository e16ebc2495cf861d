"""The Slack of the tests, asked with Slack's own library: what it takes, refuses and tells."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.webhook import WebhookClient

from tests.slack import Slack, limits

RECORDED = settings.BASE_DIR.parent / "shared/data/connector-payloads/slack"
WORDS = [{"type": "section", "text": {"type": "mrkdwn", "text": "Shall it be so?"}}]
BUTTON = {
    "type": "button",
    "action_id": "proposal_approve",
    "value": "7",
    "text": {"type": "plain_text", "text": "Yes"},
}
ASKING = [*WORDS, {"type": "actions", "elements": [BUTTON]}]
FORM = {
    "type": "modal",
    "callback_id": "proposal_reject",
    "title": {"type": "plain_text", "text": "Reject"},
    "submit": {"type": "plain_text", "text": "Reject"},
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": {"type": "plain_text", "text": "Reason"},
            "element": {"type": "plain_text_input", "action_id": "reason"},
        }
    ],
}


@pytest.fixture(scope="module")
def running():
    with Slack() as slack:
        yield slack


@pytest.fixture
def slack(running):
    yield running
    running.clears_up()
    running.comes_up()


@pytest.fixture
def team(slack):
    return slack.add_team()


@pytest.fixture
def channel(team):
    return team.add_channel("coaching")


def web(slack, token, timeout=5):
    return WebClient(token=token, base_url=slack.api_url, timeout=timeout, retry_handlers=[])


def refused(call, *args, **kwargs):
    with pytest.raises(SlackApiError) as error:
        call(*args, **kwargs)
    return error.value.response


def heard(team):
    """What the app is told, as (path, headers, payload); it answers 200."""
    requests = []

    def take(path, body, headers):
        requests.append((path, body, headers))
        return 200, b""

    team.events_to(take)
    return requests


def test_token_says_who_the_app_is(slack, team):
    client = web(slack, team.bot_token)

    who = client.auth_test()

    assert (who["team_id"], who["user_id"], who["bot_id"]) == (team.id, team.bot_user_id, team.bot_id)
    assert "chat:write" in who.headers["x-oauth-scopes"]
    assert client.bots_info(bot=who["bot_id"])["bot"]["app_id"] == team.app_id


@pytest.mark.parametrize(("token", "error"), [("xoxb-wrong", "invalid_auth"), ("", "not_authed")])
def test_other_tokens_are_refused(slack, team, token, error):
    assert refused(web(slack, token).auth_test)["error"] == error


def test_revoked_token_says_so(slack, team):
    team.app.revoke(tells=False)

    assert refused(web(slack, team.bot_token).auth_test)["error"] == "token_revoked"


def test_missing_scope_is_named(slack):
    team = slack.add_team(scopes=["users:read"])
    told = refused(web(slack, team.bot_token).chat_postMessage, channel=team.add_channel().id, text="Hello.")

    assert (told["error"], told["needed"], told["provided"]) == ("missing_scope", "chat:write", "users:read")


def test_post_update_and_thread_are_there_to_be_read(slack, team, channel):
    client = web(slack, team.bot_token)
    metadata = {"event_type": "touchline_post", "event_payload": {"post": "1", "piece": 0}}
    root = client.chat_postMessage(channel=channel.id, text="One.", blocks=WORDS, metadata=metadata)["ts"]
    reply = client.chat_postMessage(channel=channel.id, text="Two.", thread_ts=root)["ts"]

    client.chat_update(channel=channel.id, ts=reply, text="Three.")

    thread = client.conversations_replies(channel=channel.id, ts=root, include_all_metadata=True)["messages"]
    assert [message["text"] for message in thread] == ["One.", "Three."]
    assert thread[0]["metadata"] == metadata
    (alone,) = client.conversations_history(channel=channel.id)["messages"]
    assert (alone["ts"], "metadata" in alone) == (root, False)
    assert channel.thread(root)[1].shown == [("Two.", [])]


def test_lists_come_in_pages(slack, team):
    wanted = {team.add_channel(f"room-{n}").id for n in range(5)}
    slack.page_size = 2
    seen, cursor = set(), None
    while cursor != "":
        told = web(slack, team.bot_token).conversations_list(cursor=cursor)
        assert len(told["channels"]) <= 2
        seen |= {each["id"] for each in told["channels"]}
        cursor = told["response_metadata"]["next_cursor"]
    slack.page_size = 200

    assert seen == wanted


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        ({"is_archived": True}, "is_archived"),
        ({"bot_is_member": False}, "not_in_channel"),
        ({"bot_is_member": False, "is_private": True}, "channel_not_found"),
    ],
)
def test_channel_where_the_app_cannot_speak_is_refused(slack, team, channel, error):
    place = team.add_channel(**channel)

    assert refused(web(slack, team.bot_token).chat_postMessage, channel=place.id, text="Hello.")["error"] == error


def section(text):
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def button(**values):
    return {"type": "actions", "elements": [BUTTON | values]}


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"text": ""}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"blocks": [section("x" * 3_001)]}, "invalid_blocks"),
        ({"blocks": [section("😀" * 1_501)]}, "invalid_blocks"),
        ({"blocks": [section("")]}, "invalid_blocks"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"blocks": [section("x" * 2_700)] * 5}, "msg_blocks_too_long"),
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]}, "invalid_blocks"),
        ({"blocks": [button(text={"type": "plain_text", "text": "x" * 76})]}, "invalid_blocks"),
        ({"blocks": [button(value="x" * 2_001)]}, "invalid_blocks"),
        ({"blocks": [button(action_id="x" * 256)]}, "invalid_blocks"),
        ({"blocks": [button(), {"type": "actions", "elements": [BUTTON, BUTTON]}]}, "invalid_blocks"),
        ({"blocks": [{"type": "context", "elements": []}]}, "invalid_blocks"),
        ({"blocks": [{"type": "rich_text", "elements": [{"type": "text", "text": "x"}]}]}, "invalid_blocks"),
        ({"blocks": [{"type": "unheard_of"}]}, "invalid_blocks"),
    ],
)
def test_message_beyond_a_limit_is_refused(slack, team, channel, message, error):
    told = refused(web(slack, team.bot_token).chat_postMessage, channel=channel.id, **{"text": "x"} | message)

    assert told["error"] == error
    assert channel.messages == []


def test_update_takes_a_shorter_text_than_a_post(slack, team, channel):
    client = web(slack, team.bot_token)
    ts = client.chat_postMessage(channel=channel.id, text="x" * 40_000)["ts"]

    assert refused(client.chat_update, channel=channel.id, ts=ts, text="–" * 1_334)["error"] == "msg_too_long"
    assert client.chat_update(channel=channel.id, ts=ts, text="–" * 1_333)["ok"]


def test_another_s_message_cannot_be_changed(slack, team, channel):
    client, ts = web(slack, team.bot_token), team.add_user().says("Hello.", channel)

    assert refused(client.chat_update, channel=channel.id, ts=ts, text="Mine.")["error"] == "cant_update_message"
    assert refused(client.chat_update, channel=channel.id, ts="1.2", text="Mine.")["error"] == "message_not_found"


def test_person_is_told_with_what_says_whether_to_trust_the_email(slack, team):
    user = team.add_user(email="ana@acme.example", name="Ana Example", confirmed=False, is_restricted=True)

    told = web(slack, team.bot_token).users_info(user=user.id)["user"]

    assert told["profile"]["email"] == "ana@acme.example"
    assert (told["is_email_confirmed"], told["is_restricted"], told["is_bot"]) == (False, True, False)


def test_mention_is_told_twice_and_signed(team, channel):
    requests = heard(team)

    ts = team.add_user().says("Add a memory.", channel)

    told = [json.loads(body)["event"] for _, body, _ in requests]
    assert [(event["type"], event["ts"]) for event in told] == [("app_mention", ts), ("message", ts)]
    assert told[0]["text"] == f"<@{team.bot_user_id}> Add a memory."
    for path, body, headers in requests:
        assert path == "/hooks/slack/events"
        assert SignatureVerifier(team.signing_secret).is_valid_request(body, headers)
        assert not SignatureVerifier("another").is_valid_request(body, headers)


def test_old_signature_is_of_its_time(team, channel):
    requests = heard(team)

    team.deliver({"type": "event_callback"}, at=time.time() - 301, retry_num=1)

    ((_, body, headers),) = requests
    assert not SignatureVerifier(team.signing_secret).is_valid_request(body, headers)
    assert headers["X-Slack-Retry-Num"] == "1"


def test_click_opens_one_form_soon(slack, team, channel):
    client, user, requests = web(slack, team.bot_token), team.add_user(), heard(team)
    client.chat_postMessage(channel=channel.id, text="Shall it?", blocks=ASKING)

    user.clicks(channel.posts[0], "proposal_approve")

    ((path, _, _),) = requests
    (told, _) = team.told[-1]
    assert path == "/hooks/slack/actions"
    assert (told["actions"][0]["value"], told["user"]["id"], told["message"]["ts"]) == (
        "7",
        user.id,
        channel.posts[0].ts,
    )
    client.views_open(trigger_id=told["trigger_id"], view=FORM)
    again = refused(client.views_open, trigger_id=told["trigger_id"], view=FORM)
    assert again["error"] == "exchanged_trigger_id"
    user.submits(user.views[0], {"reason": {"reason": "No."}})
    (told, _) = team.told[-1]
    assert told["view"]["state"]["values"]["reason"]["reason"]["value"] == "No."
    assert not user.views[0].is_open


def test_late_form_is_refused(slack, team):
    slack.trigger_seconds = -1.0
    trigger_id = slack.trigger(team.add_user())
    slack.trigger_seconds = 3.0

    told = refused(web(slack, team.bot_token).views_open, trigger_id=trigger_id, view=FORM)

    assert told["error"] == "expired_trigger_id"


def test_button_that_is_not_shown_cannot_be_pressed(slack, team, channel):
    web(slack, team.bot_token).chat_postMessage(channel=channel.id, text="Decided.", blocks=WORDS)

    with pytest.raises(LookupError):
        team.add_user().clicks(channel.posts[0], "proposal_approve")


def test_ephemeral_message_is_seen_by_one(slack, team, channel):
    ana, ben = team.add_user(), team.add_user()

    web(slack, team.bot_token).chat_postEphemeral(channel=channel.id, user=ana.id, text="Only you.")

    assert [each.text for each in ana.ephemerals] == ["Only you."]
    assert (ben.ephemerals, channel.messages) == ([], [])


def test_weather_befalls_the_method_it_is_for_and_passes(slack, team, channel):
    client, elsewhere = web(slack, team.bot_token), team.add_channel()
    slack.fails("chat.postMessage", error="fatal_error", channel=channel)
    slack.throttles("auth.test", 30)

    assert client.chat_postMessage(channel=elsewhere.id, text="Calm here.")["ok"]
    assert refused(client.chat_postMessage, channel=channel.id, text="Not here.")["error"] == "fatal_error"
    assert client.chat_postMessage(channel=channel.id, text="Calm again.")["ok"]
    late = refused(client.auth_test)
    assert (late.status_code, late.headers["retry-after"], late["error"]) == (429, "30", "ratelimited")
    assert client.auth_test()["ok"]


def test_lost_answer_leaves_the_message_there(slack, team, channel):
    slack.loses_answers("chat.postMessage")

    with pytest.raises(ConnectionError):
        web(slack, team.bot_token).chat_postMessage(channel=channel.id, text="Did it?")

    assert [message.text for message in channel.messages] == ["Did it?"]


@pytest.mark.parametrize("how", ["500", "hang", "refuse", "lost answer"])
def test_outage_ends(slack, team, channel, how):
    client = web(slack, team.bot_token, timeout=0.3)
    slack.goes_down(how)
    with pytest.raises((OSError, SlackApiError)):
        client.chat_postMessage(channel=channel.id, text="Down.")

    slack.comes_up()

    client.chat_postMessage(channel=channel.id, text="Up.")
    assert [message.text for message in channel.messages] == (["Down.", "Up."] if how == "lost answer" else ["Up."])


def test_strict_slack_takes_one_message_a_second():
    with Slack(is_strict_about_pace=True) as slack:
        team = slack.add_team()
        one, other = team.add_channel(), team.add_channel()
        client = web(slack, team.bot_token)

        for _ in range(3):  # a short burst
            client.chat_postMessage(channel=one.id, text="At once.")
        assert refused(client.chat_postMessage, channel=one.id, text="Too many.").status_code == 429
        assert client.chat_postMessage(channel=other.id, text="Elsewhere.")["ok"]


def test_code_is_exchanged_once(slack, team):
    code = slack.grant(team.app)
    asked = {"client_id": slack.client_id, "client_secret": slack.client_secret, "code": code}
    client = web(slack, "")

    assert client.oauth_v2_access(**asked)["access_token"] == team.bot_token
    assert refused(client.oauth_v2_access, **asked)["error"] == "code_already_used"
    assert refused(client.oauth_v2_access, **asked | {"code": "other"})["error"] == "invalid_code"


def test_incoming_webhook_posts_in_its_channel(slack, team, channel):
    assert WebhookClient(channel.webhook_url).send(text="A flag.").body == "ok"
    channel.archives()

    assert WebhookClient(channel.webhook_url).send(text="Another.").status_code == 410
    assert [message.text for message in channel.messages] == ["A flag."]


def test_many_calls_at_once_are_all_kept(slack, team):
    channels = [team.add_channel() for _ in range(8)]

    def post(channel):
        return [web(slack, team.bot_token).chat_postMessage(channel=channel.id, text="x")["ts"] for _ in range(5)]

    with ThreadPoolExecutor(8) as pool:
        every = [ts for some in pool.map(post, channels) for ts in some]

    assert len(set(every)) == 40


def test_limits_take_every_message_they_should():
    assert limits.problems(ASKING) == []
    assert limits.view_problems(FORM) == []
    assert limits.too_long("x" * 40_000, WORDS) == ""


def test_what_is_told_has_what_recorded_payloads_have(slack, team, channel):
    """Keys of real payloads (slack-sdk's and bolt's own tests); those of enterprises are not played."""
    if not RECORDED.is_dir():
        pytest.skip(f"{RECORDED} is not there")
    user = team.add_user()
    heard(team)
    ts = user.says("Hello.", channel)
    user.edits(channel.find(ts), "Hello again.")
    web(slack, team.bot_token).chat_postMessage(channel=channel.id, text="Shall it?", blocks=ASKING)
    user.clicks(channel.posts[0], "proposal_approve")
    web(slack, team.bot_token).views_open(trigger_id=slack.trigger(user), view=FORM)
    user.submits(user.views[0], {"reason": {"reason": "No."}})
    user.deletes(channel.find(ts))
    names = [
        "event_callback.app_mention.app.01",
        "event_callback.message.message.40",
        "event_callback.message.message_changed.message_changed.46",
        "block_actions.block_actions_respond.08",
        "view_submission.view_submission.54",
        "event_callback.message.message_deleted.message_deleted.47",
    ]

    for name, (told, _) in zip(names, team.told, strict=True):
        recorded = json.loads((RECORDED / f"{name}.json").read_text())
        assert (
            missing(recorded, told) - {"enterprise_id", "team.enterprise_id", "team.enterprise_name", "authed_users"}
            == set()
        )


def missing(recorded, told, at=""):
    """The keys, with those above them, that a recorded payload has and ours has not. Lists and rich text are not looked into."""
    found = set()
    for key, value in recorded.items():
        if key not in told:
            found.add(f"{at}{key}")
        elif isinstance(value, dict) and isinstance(told[key], dict) and key not in ("blocks", "values"):
            found |= missing(value, told[key], f"{at}{key}.")
    return found
