"""A proposal as it stands, read into its message."""

from uuid import UUID

from django.utils import timezone

from agents.templatetags.words import exact
from coaching import proposed
from coaching.actions import proposals as actions
from coaching.coach.evidence import Quote
from coaching.models import Proposal, SlackPost
from coaching.slack import addresses, bodies
from coaching.slack.blocks.message import Drawing
from coaching.slack.blocks.proposals import EVIDENCE, Evidence, Shown, proposal
from helpdesk.models import Conversation

Status = Proposal.Status
OWN_WORDS = "Asked for in the talk, in the leader’s own words"
OF_PROPOSAL = ("agent", "workspace", "decided_by__user", "proposed_by__user", "turn__asked_by__user")
NAME = 24  # characters of what its helpdesk calls a conversation


def draw(post: SlackPost, *, short: bool = False) -> Drawing:
    """The proposal as it stands. Quotes are shown only while it waits for a decision: later its page has them."""
    row = Proposal.objects.select_related(*OF_PROPOSAL).get(slack_posts=post)
    quotes = bodies.quotes_are_allowed(row.workspace_id)
    about = _conversations(row)
    with timezone.override(row.workspace.zone):
        state, told = _standing(row)
        shown = Shown(
            id=str(row.pk),
            type=row.get_type_display(),
            agent=row.agent.name,
            title=row.title,
            rationale=bodies.for_slack(row.rationale, about=list(about.values())[:EVIDENCE], quotes=quotes),
            url=addresses.proposal(row.pk),
            origin=_origin(row, state),
            may_be_decided=state == "pending",
            evidence=_evidence(row, about, with_quotes=quotes and state == "pending" and not short),
            changes=_changes(row),
            risks=list(row.risk_reasons) if row.status == Status.PENDING else [],
            **told,
        )
    return Drawing([proposal(shown, short=short)], drawn=state)


def _origin(row, state):
    """Who proposed it; while it can be approved, what it would be then."""
    asked_by = row.turn.asked_by if row.turn is not None else None
    if row.proposed_by is not None:
        said = f"Proposed by {row.proposed_by.display_name}"
    elif asked_by is not None:
        said = f"Proposed by {row.agent.coach_name}, asked by {asked_by.display_name}"
    else:
        said = f"Proposed by {row.agent.coach_name}"
    if state != "pending":
        return said
    prospect = "taken out" if row.type.endswith("_delete") else f"version {(row.base_version or 0) + 1}"
    return f"{said} · would be {prospect}"


def _standing(row):
    """(the state in a word or two, what is told of it): at most three queries."""
    if row.status == Status.PENDING:
        return _pending(row)
    if row.status == Status.SUPERSEDED:
        newer = Proposal.objects.filter(replaces=row).values_list("pk", flat=True).first()
        way_on = ("Open the newer one", addresses.proposal(newer)) if newer else None
        words = "A newer proposal took its place."
        if row.decided_from and row.decided_by is not None:
            words = f"Brought up to date by {row.decided_by.display_name}: a newer proposal took its place."
        return "superseded", {"standing": words, "way_on": way_on}
    by, at = f"{row.decided_by.display_name} from {row.get_decided_from_display()}", exact(row.decided_at)
    if row.status == Status.REJECTED:
        return "rejected", {"standing": f"Rejected by {by} ({at}).", "note": row.decision_note}
    edited = ", edited before approving" if row.approved_change is not None else ""
    version = "taken out" if row.type.endswith("_delete") else f"version {row.result_version}"
    told = {"standing": f"Approved by {by}, {version}{edited} ({at}).", "note": row.decision_note}
    made = proposed.made(row)
    if proposed.is_taken_back(len(made)):
        last = made[-1]
        whose = f" by {last.by.display_name}" if last.by is not None else ""
        return "approved taken back", told | {
            "standing": f"{told['standing']} Taken back{whose}, {exact(last.created_at)}."
        }
    return "approved", told


def _pending(row):
    if not proposed.is_known(row):
        words = f"“{row.type}” comes from another release of Touchline. This one can show it but not apply it."
        return "unknown", {"standing": words}
    if row.is_create:
        return "pending", {}
    target = actions.target_of(row)
    if target is None:
        return "pending stale, gone", {
            "standing": f"The {row.target_kind} was removed after this was proposed. Open it to see more."
        }
    if target.version != row.base_version:
        moved = f"version {row.base_version} → {target.version}"
        words = f"The {row.target_kind} changed after this was proposed ({moved}). Open it to bring it up to date."
        return "pending stale", {"standing": words}
    return "pending", {}


def _changes(row):
    """The changed fields, with their values in words where they are no text. Nothing of a type that is not known."""
    if not proposed.is_known(row):
        return []
    stays = not row.type.endswith("_delete")
    return [
        (one, _value(one.field, one.old) if row.base else "", _value(one.field, one.new) if stays else "")
        for one in proposed.changes_of(row, proposed.applied_fields(row))
    ]


def _value(field, value):
    if field == "expires_at":
        return exact(value) if value else "does not expire"
    return {True: "yes", False: "no"}.get(value, "") if isinstance(value, bool) else ""


def _conversations(row):
    """{id: conversation} of those that its evidence comes from."""
    ids = {_uuid(one.get("conversation")) for one in row.evidence if isinstance(one, dict)} - {None}
    rows = Conversation.objects.filter(workspace=row.workspace_id, pk__in=ids).select_related("agent")
    return {str(one.pk): one for one in rows}


def _uuid(value):
    """The UUID that was stored as text; None where it is none."""
    try:
        return UUID(str(value)) if value else None
    except ValueError:
        return None


def _evidence(row, known, *, with_quotes):
    """What it rests on; its words only where the workspace lets them go to Slack."""
    given = [one for one in row.evidence if isinstance(one, dict)]
    quotes = _quotes(given[:EVIDENCE], known) if with_quotes else {}
    return [_one(n, each, known, quotes) for n, each in enumerate(given)]


def _one(n, given, known, quotes):
    if "message" in given:
        return Evidence(OWN_WORDS)
    conversation = known.get(str(given.get("conversation")))
    turn = given.get("turn")
    if conversation is None:
        return Evidence(f"turn {turn} of a conversation that is not there any more")
    words = f"turn {turn} of conversation {conversation.external_id[:NAME]}"
    return Evidence(words, addresses.conversation(conversation.pk, turn), quotes.get(n, ""))


def _quotes(given, known):
    """{place: words}. What is stored as a reference is read from its source; one that cannot be read is left without."""
    told, texts = {}, {}
    for n, one in enumerate(given):
        conversation = known.get(str(one.get("conversation")))
        if conversation is None:
            continue
        if one.get("quote"):
            told[n] = one["quote"]
        elif {"turn", "start", "end", "sha256"} <= set(one):
            if conversation.pk not in texts:
                texts[conversation.pk] = bodies.texts_of(conversation)
            told[n] = Quote(one["turn"], one["start"], one["end"], one["sha256"]).of(texts[conversation.pk])
    return told
