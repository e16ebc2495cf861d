"""Bringing Slack in step with what is owed to it, and what becomes of a post where that does not go well."""

import logging
import random
from datetime import timedelta

from django.utils import timezone

from agents import work
from agents.breakages import log_where
from coaching.actions.slack import policy, posts, triggers
from coaching.models import SlackConnection, SlackPost
from coaching.slack import errors, webhook
from coaching.slack.drawing import Drawing
from coaching.slack.messages import Messages, NotYet

MOVING = timedelta(seconds=1.2)  # between two looks at an answer that is being written, times how many are in one Slack
WAITING = timedelta(seconds=5)  # until there may be something to post
SPREAD = 2.0  # seconds, so that those who wait for the same moment do not all come at it
MOST_TRIES = 12  # that Slack answered with a no nobody can explain: some four hours

DISCONNECTED = "The Slack workspace was disconnected."

log = logging.getLogger(__name__)


def deliver(post_id: str) -> None:
    """Claim a post, draw its record, and post, change or delete what is not so yet in Slack. Nothing where another is at it."""
    post = work.claim(SlackPost.objects.takeable(), post_id)
    if post is None:
        return
    try:
        with work.holding(post):
            _serve(post)
    except work.LeaseLost:
        log.info("Post %s was taken over while it was delivered.", post.pk)


def _serve(post):
    connection = post.connection
    if connection is not None and connection.state == SlackConnection.State.DISCONNECTED:
        posts.lose(post, DISCONNECTED)
        return
    try:
        drawing = webhook.send(post) if connection is None else Messages(post, connection).bring_in_step()
    except NotYet as line:
        work.put_off(post, error="", pause=line.at - timezone.now(), attempts=post.attempts - 1, slot_at=line.at)
    except errors.SlackError as error:
        _fail(post, error)
    except work.LeaseLost:
        raise
    except Exception as error:
        work.put_off(post, error=f"Drawing it broke ({log_where(log, f'Post {post.pk}', error)}).")
    else:
        _settle(post, drawing)


def _settle(post, drawing: Drawing):
    drawn = {"drawn": drawing.drawn[:100], "drawn_at": timezone.now(), "slot_at": None}
    if drawing.is_waiting:
        work.put_off(post, error="", pause=WAITING, attempts=0, slot_at=None)
    elif drawing.is_moving:
        at_once = SlackPost.objects.owed().filter(connection=post.connection_id, kind=SlackPost.Kind.ANSWER).count()
        work.put_off(post, error="", pause=MOVING * max(at_once, 1), attempts=0, **drawn)
    else:
        posts.settle(post, **drawn)
        if post.kind == SlackPost.Kind.FLAG:
            _note_flag_arrived(post)


def _fail(post, error: errors.SlackError):
    """What each way to fail means for the post. Only what Slack itself answered counts as a try."""
    match error:
        case errors.Throttled():
            pause = timedelta(seconds=error.seconds + random.uniform(0, SPREAD))  # noqa: S311 (spreads tries, guards nothing)
            work.put_off(post, error=error.sentence, pause=pause, attempts=post.attempts - 1)
        case errors.Unreachable() if post.connection is not None:
            # Due, and left alone for as long as nobody answers.
            work.put_off(post, error=error.sentence, pause=timedelta(0), attempts=post.attempts - 1)
        case errors.Revoked():
            _note_flag_trouble(post, error.sentence)
            if not posts.fall_back(post, error.sentence):
                work.put_off(post, error=error.sentence, pause=timedelta(0), attempts=0)
        case errors.ChannelLost() if post.connection is not None:
            triggers.lose(post.connection, post.channel_id, error.sentence)
            _note_flag_trouble(post, error.sentence)
            if not posts.fall_back(post, error.sentence):
                posts.lose(post, error.sentence)
        case errors.MessageGone() | errors.TooLong():
            posts.lose(post, error.sentence)
        case _:
            _note_flag_trouble(post, error.sentence)
            if post.attempts < MOST_TRIES:
                work.put_off(post, error=error.sentence)
            else:
                posts.lose(post, f"Given up after {post.attempts} tries. {error.sentence}")


def _note_flag_trouble(post, sentence):
    if post.kind == SlackPost.Kind.FLAG:
        policy.note_flags_trouble(post.workspace_id, sentence)


def _note_flag_arrived(post):
    """The way that the workspace chose works. One that only stands in for it says nothing of that."""
    if post.connection is not None or not policy.of(post.workspace).flags_channel_id:
        policy.note_flags_trouble(post.workspace_id, "")
