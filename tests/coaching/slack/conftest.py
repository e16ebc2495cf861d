"""A Slack that every test here may speak with."""

import pytest

from tests.coaching.slack import worlds
from tests.slack import Slack


@pytest.fixture
def slack(settings):
    with Slack() as slack:
        settings.SLACK_API_URL = slack.api_url
        yield slack


@pytest.fixture
def world(slack, workspace, owner):
    return worlds.make(slack, workspace, owner)
