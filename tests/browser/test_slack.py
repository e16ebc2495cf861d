"""A leader connects Slack, lets a coach into a channel, says where flags go, sees what went wrong, and takes it away again."""

import pytest
from playwright.sync_api import expect

from coaching.actions.slack import connections, triggers
from coaching.models import SlackConnection, SlackTrigger
from tests import factories
from tests.browser.test_helpdesks import looked_at
from tests.slack import Slack

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


@pytest.fixture
def team(settings):
    with Slack() as slack:
        settings.SLACK_API_URL = slack.api_url
        settings.SLACK_CLIENT_ID, settings.SLACK_CLIENT_SECRET = slack.client_id, slack.client_secret
        team = slack.add_team("Harbour Support", bot_token="xoxb-1", app_token="xapp-1", signing_secret=SECRET)
        team.add_channel("coaching")
        team.add_channel("a-channel-with-a-name-that-is-longer-than-most-of-them", bot_is_member=False)
        team.add_channel("leaders", is_private=True)
        yield team


def test_slack_is_set_up_looked_at_and_disconnected_by_keyboard(owner, team, sign_in):
    agent = factories.ai_agent(owner.workspace, name="Nova")
    page = sign_in(owner)
    page.goto("/settings/slack")
    expect(page.get_by_role("heading", name="No Slack workspace is connected yet")).to_be_visible()
    expect(page.get_by_role("link", name="Add to Slack")).to_be_visible()
    looked_at(page)

    # An app of one's own: what Slack does not accept is said beside its field, and no token comes back.
    page.get_by_role("link", name="Connect an app of your own").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Bot token").focus()
    page.keyboard.type("xoxb-2")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Slack does not accept the bot's token.")).to_be_visible()
    expect(page.get_by_label("Bot token")).to_have_value("")
    page.get_by_text("Manifest for HTTP").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Manifest for HTTP")).to_contain_text(
        "request_url: http://127.0.0.1:8000/hooks/slack/events"
    )
    looked_at(page)
    page.complaints[:] = [said for said in page.complaints if "400" not in said]  # the refusal itself
    page.get_by_label("Bot token").focus()
    page.keyboard.type("xoxb-1")
    page.get_by_label("Signing secret").focus()
    page.keyboard.type(SECRET)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Harbour Support is connected. Add a coach to one of its channels.")).to_be_visible()
    looked_at(page)

    # A coach in a channel, which is offered while one types.
    card = page.get_by_role("region", name="Harbour Support")
    card.get_by_role("link", name="Add a coach").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("3 channels, the app is in 2 of them.")).to_be_visible()
    looked_at(page)
    page.get_by_label("Channel", exact=True).fill("#a-channel-with-a-name-that-is-longer-than-most-of-them")
    page.get_by_label("Coach", exact=True).select_option("Nova (coach)")
    page.get_by_role("button", name="Add the coach").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The app is not in #a-channel-with-a-name")).to_be_visible()
    looked_at(page)
    page.complaints[:] = [said for said in page.complaints if "400" not in said]
    page.get_by_label("Channel", exact=True).fill("#coaching")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nova (coach) listens in #coaching now.")).to_be_visible()
    looked_at(page)

    # What goes there.
    page.get_by_label("Channel for flags").focus()
    page.keyboard.type("#leaders")
    page.get_by_label("Incoming webhook for flags").fill("https://hooks.slack.com/services/T1/B1/opensesame")
    page.get_by_role("button", name="Save", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    expect(page.get_by_label("Channel for flags")).to_have_value("#leaders")
    assert "opensesame" not in page.content()

    # Taken away and brought back.
    card.get_by_role("button", name="Remove Nova (coach) from #coaching").focus()
    page.keyboard.press("Enter")
    expect(card.get_by_text("Removed. Nobody listens there any more.")).to_be_visible()
    looked_at(page)
    card.get_by_role("button", name="Undo removing Nova (coach) from #coaching").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("It listens there again.")).to_be_visible()

    # What went wrong is said in words, on the card and where leaders look.
    trigger = SlackTrigger.objects.get(agent=agent)
    triggers.lose(trigger.connection, trigger.channel_id, "The channel is archived.")
    page.goto("/todo")
    expect(page.get_by_text("Slack, Harbour Support: #coaching: The channel is archived.")).to_be_visible()
    looked_at(page)
    page.get_by_role("link", name="Look at it").focus()
    page.keyboard.press("Enter")
    expect(card.get_by_text("The channel is archived.")).to_be_visible()
    looked_at(page)
    card.get_by_role("button", name="Check Harbour Support").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Slack accepts the token, and every coach’s channel can be spoken in.")).to_be_visible()
    connections.refuse(SlackConnection.objects.get(), "The bot's token was revoked. Connect again with a new one.")
    page.reload()
    expect(card.locator(".desk-state")).to_have_text("Refused")
    looked_at(page)

    # Disconnected: the tokens go, what was said stays.
    card.get_by_text("Disconnect…").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(card.get_by_role("button", name="Disconnect Harbour Support")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Disconnected. Its tokens are deleted here")).to_be_visible()
    expect(card.locator(".desk-state")).to_have_text("Disconnected")
    looked_at(page)


def test_add_to_slack_goes_there_and_comes_back_by_the_browser(owner, team, sign_in, address, settings):
    settings.PUBLIC_URL = address
    team.slack.installs_into = team
    page = sign_in(owner)
    page.goto("/settings/slack")
    page.get_by_role("link", name="Add to Slack").click()

    expect(page.get_by_text("Harbour Support is connected.")).to_be_visible()
    expect(page.get_by_role("region", name="Harbour Support")).to_contain_text("the app of this Touchline")
