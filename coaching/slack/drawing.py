"""What a post should look like now: drawn whole from the rows, every time."""

from coaching.models import SlackPost
from coaching.slack import answers, flags, proposals
from coaching.slack.blocks.message import Drawing, Piece

__all__ = ["Drawing", "Piece", "draw"]

KINDS = {
    SlackPost.Kind.ANSWER: answers.draw,
    SlackPost.Kind.PROPOSAL: proposals.draw,
    SlackPost.Kind.FLAG: flags.draw,
}


def draw(post: SlackPost, *, short: bool = False) -> Drawing:
    """What the messages of `post` should say. `short`: Slack found the last try too long, so less of it.

    No transaction may be open: a quote may be read from a helpdesk, and an agenda drafted by a model.
    """
    return KINDS[SlackPost.Kind(post.kind)](post, short=short)
