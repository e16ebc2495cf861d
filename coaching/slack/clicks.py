"""What people click in Slack: a proposal approved or rejected, the reason that was asked for, a coach that was chosen.

Who clicks, and whether they may, is asked again each time. Rules stand in coaching.actions.proposals.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from agents.access import Refusal
from agents.models import Door, Member
from agents.versions import Conflict
from coaching.actions import proposals
from coaching.actions.slack import people as links
from coaching.actions.slack import posts
from coaching.models import Proposal, SlackConnection, SlackPost, SlackReceipt
from coaching.slack import addresses, client, direct, errors, people
from coaching.slack.blocks import notices
from coaching.slack.following import Followed, to_whom
from coaching.slack.places import siblings

Status = Proposal.Status
OPEN = "Open the proposal"
NOT_HERE = "This button does not belong to a proposal that was posted here. Nothing was changed."
TOO_LATE = "Slack did not take the form in time. Click again, or reject it on its page."
MOVED_ON = "What it would change has been changed since, so nothing was applied. Bring it up to date on its page."


@dataclass(frozen=True)
class Clicked:
    """The proposal whose message was clicked, and where that message is."""

    proposal: Proposal
    connection: SlackConnection
    thread_ts: str


def follow(receipt: SlackReceipt, facts: dict[str, Any]) -> Followed:
    """Do what was clicked, as the member who clicked it. Raises errors.SlackError."""
    if receipt.type == "direct_choose":
        return direct.choose(receipt, facts)
    clicked = _clicked(receipt.connection, facts)
    if clicked is None:
        return Followed("Not the button of a proposal here.", notice=to_whom(facts, NOT_HERE))
    proposal, facts = clicked.proposal, facts | {"thread_ts": clicked.thread_ts}
    person = people.find(clicked.connection, facts["user"])
    member = links.member_of(person)
    if member is None:
        return Followed("From nobody who is known here.", notice=to_whom(facts, people.why_not(person)))
    try:
        if receipt.kind == SlackReceipt.Kind.VIEW:
            return _reject(receipt, facts, proposal, member)
        if receipt.type == "proposal_reject":
            return _ask_why(receipt, facts, clicked, member)
        return _approve(receipt, facts, proposal, member)
    except Conflict:
        posts.redraw(proposal=proposal)
        return _refused(facts, proposal, MOVED_ON)
    except Refusal as refusal:
        return _refused(facts, proposal, str(refusal))
    except ValidationError as refusal:
        return _refused(facts, proposal, " ".join(refusal.messages))


def _clicked(connection, facts) -> Clicked | None:
    """The message that was clicked must be the one that shows this very proposal in this very place."""
    try:
        proposal_id = uuid.UUID(facts["value"])
    except ValueError:
        return None
    here = SlackPost.objects.filter(connection__in=siblings(connection), channel_id=facts["channel"])
    shown = here.filter(kind=SlackPost.Kind.PROPOSAL, proposal=proposal_id)
    post = shown.select_related("connection", "thread", "proposal__agent", "proposal__workspace").first()
    if post is None or post.proposal is None or post.connection is None:
        return None
    # Of a message that was sent, but whose answer never came, the place is not known yet.
    if not post.is_unsure and facts["message_ts"] not in [piece["ts"] for piece in post.pieces]:
        return None
    return Clicked(post.proposal, post.connection, post.thread.thread_ts if post.thread is not None else "")


def _approve(receipt, facts, proposal: Proposal, by: Member) -> Followed:
    try:
        proposals.approve(proposal, by=by, door=Door.SLACK)
    except proposals.AlreadyDecided as late:
        return _late(receipt, facts, late.proposal, by, Status.APPROVED)
    return Followed("Approved.")


def _reject(receipt, facts, proposal: Proposal, by: Member) -> Followed:
    try:
        proposals.reject(proposal, by=by, door=Door.SLACK, reason=facts["reason"].strip())
    except proposals.AlreadyDecided as late:
        return _late(receipt, facts, late.proposal, by, Status.REJECTED)
    return Followed("Rejected.")


def _ask_why(receipt, facts, clicked: Clicked, by: Member) -> Followed:
    """Show the form that asks for the reason, within the three seconds that Slack leaves for it."""
    proposal = clicked.proposal
    proposals.require_decider(proposal, by)
    if proposal.status != Status.PENDING:
        return _late(receipt, facts, proposal, by, None)
    form = notices.reject_form(str(proposal.pk), proposal.title, channel=facts["channel"], message=facts["message_ts"])
    try:
        client.call(clicked.connection, "views.open", trigger_id=facts["trigger_id"], view=form)
    except errors.SlackError:
        return _refused(facts, proposal, TOO_LATE)
    return Followed("Asked for a reason.")


def _late(receipt, facts, proposal: Proposal, by: Member, wanted: Status | None) -> Followed:
    """Somebody was first, unless it was this very click, by a worker that died before it could say so."""
    is_own = proposal.status == wanted and proposal.decided_by_id == by.pk and proposal.decided_from == Door.SLACK
    if is_own and proposal.decided_at is not None and proposal.decided_at >= receipt.received_at:
        return Followed("Decided.")
    posts.redraw(proposal=proposal)
    return _refused(facts, proposal, str(proposals.AlreadyDecided(proposal)))


def _refused(facts, proposal: Proposal, sentence: str) -> Followed:
    return Followed("Refused.", notice=to_whom(facts, sentence, words=OPEN, url=addresses.proposal(proposal.pk)))
