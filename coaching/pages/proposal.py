"""What the page of one proposal shows, read at once, from title to buttons."""

from dataclasses import dataclass, field
from functools import cached_property

from django.utils import timezone

from agents import versions
from agents.access import Right, may
from agents.models import Configuration
from coaching.actions import proposals, targets, viewings
from coaching.coach.evidence import Quote
from coaching.hygiene import Relation, Said, Verdict
from coaching.models import Proposal
from coaching.pages.queue import Item, items
from coaching.pages.typed import uuid_or_none
from coaching.proposed import applied_fields, changes_of, is_known, is_taken_back, made
from coaching.texts import diffs
from coaching.texts.merging import begin_fields, merge_fields
from coaching.texts.sizes import Size
from helpdesk.models import Conversation
from memories.models import Memory
from memories.search.reading import search

COMPARED = 50  # memories that are held against a proposed one: as many found, as many expired
NEAR_SHOWN = 3
PLACES = 3  # runs of lines that a banner names
Status = Proposal.Status


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence. A leader's own message has no conversation; `quote` is empty where only the source has it."""

    conversation: Conversation | None = None
    turn: int | None = None
    quote: str = ""
    is_message: bool = False


@dataclass(frozen=True)
class Pane:
    """One field of a conflict, three times. `since` is what others made of the base, `wanted` what is asked for; None where
    that side left it alone."""

    field: str
    label: str
    base: object
    current: object
    proposed: object
    since: diffs.FieldDiff | None
    wanted: diffs.FieldDiff | None

    @property
    def is_long(self):
        return self.field in diffs.BY_LINES


@dataclass(frozen=True)
class Since:
    """What became of a proposal's target after its base version: `version` is None where it was removed. `last` is the newest
    change of it, `n` how many there were; `changes` what all of them made of the base.

    `touching` names the fields in which both sides changed the same place, `start` what an editor begins with: both put
    together where that can be done, what is there now where not. `is_there_already` where nothing is left to ask for.
    """

    proposal: Proposal
    version: int | None
    last: Configuration | None
    n: int
    changes: list[diffs.FieldDiff]
    panes: list[Pane]
    start: dict = field(default_factory=dict)
    touching: tuple[str, ...] = ()
    is_there_already: bool = False

    @property
    def is_gone(self):
        return self.version is None

    @property
    def touches(self):
        return bool(self.touching)

    @property
    def may_be_rebased(self):
        """Whether it can be brought up to date without anybody typing."""
        return not (self.is_gone or self.touches or self.is_there_already)

    @property
    def where(self):
        """The places that others changed, in words: "lines 3–4 and 9" of a prompt, "summary, text" of a memory."""
        return ", ".join(_place(change, alone=len(self.changes) == 1) for change in self.changes)

    @property
    def touching_words(self):
        """The fields in which both changed the same place; empty where there is but one field."""
        if self.proposal.target_kind == "prompt":
            return ""
        return ", ".join(diffs.LABELS.get(name, name).lower() for name in self.touching)


@dataclass(frozen=True)
class Live:
    """What can change about a proposal while somebody looks at it. `following` is where to go on once it is decided."""

    proposal: Proposal
    since: Since | None
    others: list
    superseded_by: Proposal | None
    following: Proposal | None = None

    @property
    def is_over(self):
        """Whether nothing more is to be looked for."""
        return self.proposal.status != Status.PENDING

    @property
    def mark(self):
        """Differs whenever something else is to be told: how it stands in two words, then who looks."""
        version = "fresh" if self.since is None else self.since.version or "gone"
        return " ".join([self.proposal.status, str(version), *(str(each.pk) for each in self.others)])

    @property
    def looking(self):
        """Who else looks at it, in words; empty where nobody does."""
        names = [each.display_name for each in self.others]
        if not names:
            return ""
        if len(names) == 1:
            return f"{names[0]} is looking at this too."
        return f"{', '.join(names[:-1])} and {names[-1]} are looking at this too."

    @property
    def says(self):
        """All of it in plain words, for those who listen."""
        proposal, since, told = self.proposal, self.since, [self.looking]
        if self.is_over:
            told = [f"This was {decided_words(proposal)}."]
        elif since is not None and since.is_gone:
            told.append(f"The {proposal.target_kind} was removed after this was proposed.")
        elif since is not None:
            told.append(f"The {proposal.target_kind} changed after this was proposed, to version {since.version}.")
        return " ".join(filter(None, told))


@dataclass(frozen=True)
class Near:
    """A memory that says nearly what a proposal would add: how the two differ by words, and what that makes them."""

    memory: Memory
    summary: tuple[diffs.Piece, ...]
    verdict: Verdict
    is_expired: bool

    @property
    def contradicts(self):
        """Whether the agent would be served both and could follow only one."""
        return self.verdict.relation == Relation.CONTRADICTION and not self.is_expired


@dataclass(frozen=True)
class Served:
    """What the agent would be told of the target once the proposal is approved; `size` of a prompt or of steps."""

    fields: dict
    size: Size | None

    @property
    def long(self):
        return self.fields.get("system_prompt") or self.fields.get("content") or ""

    @property
    def is_expired(self):
        at = self.fields.get("expires_at")
        return at is not None and at <= timezone.now()


@dataclass(frozen=True)
class Detail:
    """One proposal, read top to bottom. `changes` is the diff as proposed, `approved` as it was applied where edited; `made`
    are the Configurations that came of it, oldest first: applied, taken back, applied again, …"""

    proposal: Proposal
    item: Item
    changes: list[diffs.FieldDiff]
    evidence: list[Evidence]
    may_decide: bool
    since: Since | None = None
    approved: list[diffs.FieldDiff] = field(default_factory=list)
    superseded_by: Proposal | None = None
    made: list[Configuration] = field(default_factory=list)
    asked_by: object = None

    @cached_property
    def near(self):
        """Memories that say nearly the same; read when asked for, and only while somebody decides."""
        return near_memories(self.proposal) if self.may_decide else []

    @property
    def is_known_type(self):
        return is_known(self.proposal)

    @property
    def has_lines(self):
        """Whether anything is told by lines, so that it can stand side by side."""
        return (
            not self.proposal.is_create and any(change.lines for change in self.changes) and bool(self.proposal.change)
        )

    @property
    def has_folds(self):
        return self.has_lines and any(
            isinstance(row, diffs.Gap) for change in self.changes if change.lines for row in change.lines.rows
        )

    @property
    def is_stale(self):
        return self.since is not None

    @property
    def target_is_gone(self):
        return self.since is not None and self.since.is_gone

    @property
    def panes(self):
        return self.since.panes if self.since is not None else []

    @property
    def outcome(self):
        """What an approval would make, in words."""
        return outcome(self.proposal)

    @property
    def served(self):
        """What the agent is told once it is approved; None where that cannot be or nothing is."""
        if not self.may_decide or self.is_stale or self.proposal.type.endswith("_delete"):
            return None
        fields = {**proposals.loaded(self.proposal.base), **proposals.fields_to_apply(self.proposal)}
        long = fields.get("system_prompt") or fields.get("content")
        return Served(fields, Size(long) if long is not None else None)

    @property
    def last_made(self):
        """The newest Configuration that came of it: the one to undo. None where it was not applied."""
        return self.made[-1] if self.made and self.is_known_type else None

    @property
    def taken_back(self):
        """The Configuration that took it back; None where it stands."""
        return self.made[-1] if is_taken_back(len(self.made)) else None


def load(member, proposal, texts=None):
    """One proposal for a leader. `texts` are {conversation id: {turn: text}} where transcripts are at hand for quotes."""
    return Detail(
        proposal=proposal,
        item=items([proposal])[0],
        changes=changes_of(proposal),
        evidence=evidence_of(member, [proposal], texts or {})[proposal.pk],
        may_decide=may_decide(member, proposal),
        since=since(proposal),
        approved=changes_of(proposal, applied_fields(proposal)) if proposal.approved_change is not None else [],
        superseded_by=_superseded_by(member, proposal),
        made=made(proposal),
        asked_by=asked_by(proposal),
    )


def load_live(member, proposal, detail=None):
    """What may have changed since the page was read; what `detail` holds is not read again."""
    return Live(
        proposal=proposal,
        since=since(proposal) if detail is None else detail.since,
        others=viewings.others(proposal, than=member) if proposal.status == Status.PENDING else [],
        superseded_by=_superseded_by(member, proposal) if detail is None else detail.superseded_by,
    )


def since(proposal):
    """What became of the target of a pending proposal after its base version; None where it is as it was. Three queries."""
    if proposal.status != Status.PENDING or proposal.is_create or not is_known(proposal):
        return None
    target = proposals.target_of(proposal)
    if target is not None and target.version == proposal.base_version:
        return None
    later = list(
        Configuration.objects.filter(
            agent_id=proposal.agent_id, target_kind=proposal.target_kind, target_id=proposal.target_id,
            target_version__gt=proposal.base_version,
        ).select_related("by__user").order_by("target_version")
    )  # fmt: skip
    return told_since(proposal, target, later)


def since_each(rows):
    """{proposal id: Since} of those that are stale, in three queries however many there are. Who changed them is left out."""
    told, found = {}, {}
    waiting = [p for p in rows if p.status == Status.PENDING and not p.is_create and is_known(p)]
    for model in {targets.MODELS[p.target_kind] for p in waiting}:
        found |= model.objects.in_bulk({p.target_id for p in waiting if p.target_kind == model.KIND})
    for proposal in waiting:
        target = found.get(proposal.target_id)
        if target is not None and target.agent_id != proposal.agent_id:
            target = None
        if target is None or target.version != proposal.base_version:
            told[proposal.pk] = told_since(proposal, target, [])
    return told


def told_since(proposal, target, later):
    """The Since of a stale proposal, from its target as it is now (None: removed) and the Configurations since, in order."""
    base, wanted = proposals.loaded(proposal.base), proposals.fields_to_apply(proposal)
    now = versions.fields_of(target) if target is not None else {}
    panes = panes_of(base, now or dict.fromkeys(base), wanted)
    last, n = (later[-1] if later else None), len(later)
    if target is None:
        return Since(proposal, None, last, n, [], panes)
    changed = diffs.fields(base, now)
    if proposal.type.endswith("_delete"):
        return Since(proposal, target.version, last, n, changed, panes)
    merged = merge_fields(base, now, wanted)
    return Since(
        proposal, target.version, last, n, changed, panes,
        start=begin_fields(base, now, wanted), touching=merged.touching,
        is_there_already=not merged.touching and merged.fields == now,
    )  # fmt: skip


def _place(change, alone):
    """One changed field in words; by its lines where it has some."""
    label = change.label.lower()
    if change.lines is None:
        return label
    runs = change.lines.runs
    shown = [str(first) if first == last else f"{first}–{last}" for first, last in runs[:PLACES]]
    lines = f"line{'' if runs[0][0] == runs[-1][1] else 's'} {', '.join(shown)}"
    more = len(runs) - len(shown)
    told = f"{lines} and {more} more place{'' if more == 1 else 's'}" if more else lines
    return told if alone else f"{label}: {told}"


def near_memories(proposal):
    """The agent's memories that say nearly what this one would add or change a memory into, the most serious few.

    The search finds what shares words with it; of what it does not serve any more, the newest are looked through. The coach's
    tools look through all (coaching.actions.hygiene.near), which is too slow for a page.
    """
    if proposal.type not in (Proposal.Type.MEMORY_CREATE, Proposal.Type.MEMORY_UPDATE):
        return []
    summary, now = proposal.change.get("summary") or "", timezone.now()
    wanted = Said(summary, proposal.change.get("text") or "")
    found = [hit.id for hit in search(proposal.agent, summary, limit=COMPARED)]
    rows = Memory.objects.filter(agent_id=proposal.agent_id).exclude(pk=proposal.target_id)
    expired = rows.expired(now).order_by("-expires_at").values_list("pk", flat=True)[:COMPARED]
    compared = [(row, wanted.compare(Said(row.summary, row.text))) for row in rows.filter(pk__in=[*found, *expired])]
    near = [
        Near(row, diffs.words(row.summary, summary), verdict, row.expires_at is not None and row.expires_at <= now)
        for row, verdict in compared
        if verdict is not None
    ]
    severity = list(Relation)
    near.sort(
        key=lambda one: (
            severity.index(one.verdict.relation),
            found.index(one.memory.pk) if one.memory.pk in found else COMPARED,
            one.memory.summary,
        )
    )
    return near[:NEAR_SHOWN]


def _superseded_by(member, proposal):
    if proposal.status != Status.SUPERSEDED:
        return None
    return Proposal.objects.visible_to(member).filter(replaces=proposal).first()


def may_decide(member, proposal):
    """Whether `member` can approve or reject it now. A type from another release can be read only."""
    return may(member, Right.APPROVE) and proposal.status == Status.PENDING and is_known(proposal)


def outcome(proposal):
    """What approving would make of it: "as version 3", or that it is taken out."""
    if proposal.type.endswith("_delete"):
        return f"the {proposal.target_kind} is taken out"
    return f"as version {(proposal.base_version or 0) + 1}"


def asked_by(proposal):
    """The member in whose talk with the coach, or by whose own hand, it came to be; None where nobody asked."""
    if proposal.proposed_by is not None:
        return proposal.proposed_by
    return proposal.turn.asked_by if proposal.turn is not None else None


def panes_of(base, current, proposed):
    """The fields where the three are not all equal, {field: value} each. What `proposed` leaves out stays as in `base`."""
    three = [(name, base.get(name), now, proposed.get(name, base.get(name))) for name, now in current.items()]
    return [
        _pane(name, *values)
        for name, *values in three
        if any((value or None) != (values[0] or None) for value in values)
    ]


def told(clash):
    """The panes of a versions.Conflict."""
    return [_pane(each["field"], each["base"], each["current"], each["proposed"]) for each in clash.fields]


def _pane(field, base, current, proposed):
    since, wanted = (None if base == value else diffs.field_diff(field, base, value) for value in (current, proposed))
    return Pane(field, diffs.LABELS.get(field, field), base, current, proposed, since, wanted)


def evidence_of(member, rows, texts):
    """{proposal id: [Evidence]}, in one query. Quotes that are stored as references are read from `texts`."""
    given = {p.pk: [e for e in p.evidence if isinstance(e, dict)] for p in rows}
    ids = {uuid_or_none(e.get("conversation")) for items_ in given.values() for e in items_} - {None}
    known = {c.pk: c for c in Conversation.objects.visible_to(member).filter(pk__in=ids)} if ids else {}
    return {pk: [_evidence(one, known, texts) for one in items_] for pk, items_ in given.items()}


def _evidence(one, known, texts):
    if "message" in one:
        return Evidence(is_message=True)
    conversation = known.get(uuid_or_none(one.get("conversation")))
    quote = one.get("quote") or ""
    if not quote and conversation is not None and {"start", "end", "sha256"} <= set(one):
        quote = Quote(one["turn"], one["start"], one["end"], one["sha256"]).of(texts.get(conversation.pk, {}))
    return Evidence(conversation=conversation, turn=one.get("turn"), quote=quote)


def edited(proposal, change):
    """The fields that approving with the reviewer's `change` would apply. Raises ValidationError that names the field."""
    model = targets.MODELS[proposal.target_kind]
    whole = {**proposals.fields_to_apply(proposal), **change}
    return proposals.proposed_change(proposal.type, model, whole, proposals.loaded(proposal.base))


def decided_words(proposal):
    """ "already approved by Ana at 20 Nov 2026, 10:42 from Slack": what a late click is told."""
    if proposal.status == Status.SUPERSEDED:
        return "replaced by a newer one"
    at = timezone.localtime(proposal.decided_at)
    by, door = proposal.decided_by.display_name, proposal.get_decided_from_display()
    return f"already {proposal.get_status_display().lower()} by {by} at {at.day} {at:%b %Y, %H:%M} from {door}"
