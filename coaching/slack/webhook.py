"""Flags by an incoming webhook: posted once and never changed, for a webhook cannot change what it posted.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import http

import httpx2
from django.utils import timezone

from agents import outbound, work
from coaching.actions.slack import policy
from coaching.models import SlackPost
from coaching.slack import client, errors
from coaching.slack.drawing import Drawing, draw
from coaching.slack.messages import QUIET, seal

CODE_LETTERS = 80  # of the word that an answer is; more is a page of somebody else's


def send(post: SlackPost) -> Drawing:
    """Post what was not posted yet. How far it came is stored after each message.

    Nobody can look whether a message arrived whose answer did not come: it is posted again. Raises errors.SlackError,
    work.LeaseLost.
    """
    drawing = draw(post)
    if drawing.is_waiting:
        return drawing
    try:
        _post(post, drawing)
    except errors.TooLong:
        if post.pieces:
            raise
        drawing = draw(post, short=True)
        _post(post, drawing)
    return drawing


def _post(post, drawing):
    address = policy.of(post.workspace).flags_webhook
    with outbound.client(outbound.certificates(), guarded=True) as calling:
        for piece in drawing.pieces[len(post.pieces) :]:
            if not address:
                raise errors.MessageGone("There is no incoming webhook any more.")
            _call(calling, address, {"text": piece.text, "blocks": piece.blocks, **QUIET})
            posted = {"state": SlackPost.State.POSTED, "posted_at": post.posted_at or timezone.now()}
            work.keep(post, pieces=[*post.pieces, {"ts": "", "hash": seal(piece)}], **posted)


def _call(calling: httpx2.Client, address: str, message: dict) -> None:
    try:
        answer = calling.post(address, json=message, timeout=client.TIMEOUT)
    except outbound.NotCalled as refusal:
        raise errors.Unreachable(refusal.sentence, may_have_arrived=False) from None
    except (httpx2.HTTPError, httpx2.InvalidURL):
        raise errors.Unreachable("The incoming webhook cannot be reached.", may_have_arrived=True) from None
    if answer.is_success and answer.text.strip() == "ok":
        return
    if answer.status_code == http.HTTPStatus.TOO_MANY_REQUESTS:
        raise errors.Throttled(client.seconds(answer.headers))
    code = answer.text[:CODE_LETTERS].strip()
    if answer.is_server_error or not client.CODE.fullmatch(code):
        raise errors.Unreachable("The incoming webhook does not answer as Slack does.", may_have_arrived=True)
    raise errors.of(code, seconds=client.DEFAULT_PAUSE)
