"""Who somebody in Slack is here: by an email that Slack has confirmed, and nobody's word but Slack's."""

from typing import Any

from coaching.actions.slack import people
from coaching.models import SlackConnection, SlackPerson
from coaching.slack import client, errors

Problem = SlackPerson.Problem
SENTENCES = {
    Problem.STRANGER: (
        "You are not a member here, so the coach cannot talk to you. Ask an owner or admin to invite the email address that "
        "you use in Slack."
    ),
    Problem.UNCONFIRMED: (
        "Slack tells no confirmed email address of you, so nobody can know who you are here. Confirm it in Slack, or ask whoever "
        "set up the app."
    ),
    Problem.OUTSIDER: "Guests, apps and people of other organisations cannot talk to the coach.",
}


def find(connection: SlackConnection, user_id: str) -> SlackPerson:
    """Who it is, asked of Slack where it is not known. Raises errors.SlackError."""
    return people.known(connection, user_id) or _looked_up(connection, user_id)


def why_not(person: SlackPerson) -> str:
    """The sentence for somebody who is no member."""
    return SENTENCES[Problem(person.problem or Problem.STRANGER)]


def _looked_up(connection, user_id) -> SlackPerson:
    try:
        user = client.call(connection, "users.info", user=user_id).get("user")
    except errors.Declined as declined:
        if declined.code not in ("user_not_found", "user_not_visible"):
            raise
        user = None
    told: dict[str, Any] = user if isinstance(user, dict) else {}
    profile: dict[str, Any] = told["profile"] if isinstance(told.get("profile"), dict) else {}
    names = (profile.get("display_name"), profile.get("real_name"), told.get("real_name"), told.get("name"))
    name = next((each for each in names if isinstance(each, str) and each), "")
    email: str = profile["email"] if isinstance(profile.get("email"), str) else ""
    return people.recognise(connection, user_id, name=name, email=email, problem=problem_of(connection, told, email))


def problem_of(connection: SlackConnection, user: dict[str, Any], email: str) -> str:
    """Why a user object of Slack's stands for nobody here; "" where its email may be believed.

    https://docs.slack.dev/reference/objects/user-object. `is_stranger` and another `team_id` are people of a shared channel; in
    an organisation of several workspaces `enterprise_user` says of which somebody is.
    """
    grid = user.get("enterprise_user")
    teams = [user.get("team_id"), *((grid.get("teams") or []) if isinstance(grid, dict) else [])]
    foreign = (
        "deleted",
        "is_bot",
        "is_workflow_bot",
        "is_connector_bot",
        "is_restricted",
        "is_ultra_restricted",
        "is_stranger",
    )
    if any(user.get(trait) for trait in foreign) or connection.team_id not in teams:
        return Problem.OUTSIDER
    return "" if email and user.get("is_email_confirmed") is True else Problem.UNCONFIRMED
