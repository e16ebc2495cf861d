"""The notes of an agent's record: written, edited, put away, brought back, and what became of each."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date

from agents.access import Right, require
from agents.pages import page, wants_fragment
from coaching.actions import notes
from coaching.models import Sample
from coaching.pages import notes as notes_page
from coaching.pages.typed import number_or_none, uuid_or_none
from coaching.views import drawer

ANOTHER_DAY = "day"  # the choice that says the day is typed
FIELDS = {"body": "body", "followUpAt": "follow_up", "sharedWithAgent": "share"}  # of a refusal -> of the form


@dataclass(frozen=True)
class TypedNote:
    """What was typed into a note's form, as it was typed. `follow_up` is empty, ANOTHER_DAY (then `day` says which) or a day.

    `id` is what a new note is to have; None where the form named none.
    """

    body: str = ""
    sample: str = ""
    follow_up: str = ""
    day: str = ""
    share: bool = False
    id: UUID | None = None

    @classmethod
    def of(cls, sent):
        """Read the QueryDict of a form. A day that is none of those offered stands in the field for other days."""
        follow_up, day = sent.get("follow_up", ""), sent.get("follow_up_day", "")
        offered = {pick.value for pick in notes_page.picks(timezone.localdate())}
        if follow_up not in {"", ANOTHER_DAY, *offered}:
            follow_up, day = ANOTHER_DAY, follow_up
        return cls(
            body=sent.get("body", ""),
            sample=sent.get("sample", ""),
            follow_up=follow_up,
            day=day,
            share="share" in sent,
            id=uuid_or_none(sent.get("id", "")),
        )

    @classmethod
    def stored(cls, note):
        """What a note's form begins with."""
        day = timezone.localdate(note.follow_up_at).isoformat() if note.follow_up_at else ""
        return cls(body=note.body, follow_up=ANOTHER_DAY if day else "", day=day, share=note.shared_with_agent)

    def follow_up_at(self, kept=None):
        """Nine in the morning of the day, in the workspace's time zone; None where none was chosen.

        On its own day the instant `kept` stays as it is. Raises ValidationError.
        """
        if not self.follow_up:
            return None
        typed = self.day if self.follow_up == ANOTHER_DAY else self.follow_up
        try:
            picked = parse_date(typed)
        except ValueError:
            picked = None
        if picked is None:
            raise ValidationError({"followUpAt": "The follow-up needs a date, as in 2027-01-31."})
        if kept is not None and timezone.localdate(kept) == picked:
            return kept
        return datetime.combine(picked, time(9), tzinfo=timezone.get_current_timezone())


@page("GET", "POST")
def of_agent(request, agent_id):
    """GET: the notes that come after one of them, `?older=ID`. POST: keep the note that was typed.

    The first time somebody shares, they are shown what will be seen before anything is kept. What is wrong is said beside its
    field, and the words stay.
    """
    agent = drawer.visible_agent(request, agent_id)
    return _write(request, agent) if request.method == "POST" else _older(request, agent)


@page()
def note(request, note_id):
    """One note: as a line for the drawer, else in its agent's record."""
    found = _note(request, note_id)
    if wants_fragment(request):
        return _line(request, found)
    return redirect(f"{reverse('team-agent', args=[found.agent_id])}#note-{found.pk}")


@page("GET", "POST")
def edit(request, note_id):
    """Show the note in a form; keep what was typed there. A lost race keeps the words and shows the other's."""
    found = _note(request, note_id)
    require(request.member, Right.COACH_PEOPLE)
    if found.archived_at is not None:
        return _put_away(request, found, typed=request.POST.get("body", ""), status=HTTPStatus.CONFLICT)
    if request.method == "GET":
        return _form(request, found, TypedNote.stored(found))
    typed, base = TypedNote.of(request.POST), request.POST.get("base_version", "")
    if "back" in request.POST:
        return _form(request, found, typed, base=base, retyped=True)
    try:
        follow_up_at = typed.follow_up_at(kept=found.follow_up_at)
        changes = {"body": typed.body, "follow_up_at": follow_up_at, "shared_with_agent": typed.share}
        if typed.share and not found.shared_with_agent and _asks_first(request):
            _checked(found.agent, changes, is_new_day=follow_up_at != found.follow_up_at)
            return _form(request, found, typed, base=base, retyped=True, preview=True)
        was_shared, was_read = found.shared_with_agent, found.acknowledged_at is not None
        kept = notes.edit(found, by=request.member, base_version=number_or_none(base) or 0, **changes)
    except ValidationError as refusal:
        return _form(
            request, found, typed, base=base, retyped=True, errors=_beside(refusal), status=HTTPStatus.BAD_REQUEST
        )
    except notes.ChangedMeanwhile as race:
        return _form(
            request, _note(request, note_id), typed, base=race.note.version, retyped=True, race=_race(race.note),
            status=HTTPStatus.CONFLICT,
        )  # fmt: skip
    except notes.Archived:
        return _put_away(request, _note(request, note_id), typed=typed.body, status=HTTPStatus.CONFLICT)
    return _answer(request, kept, _said(kept, was_shared=was_shared, was_read=was_read))


@page("POST")
def archive(request, note_id):
    """Put the note away; restoring it is offered at once."""
    found = _note(request, note_id)
    with suppress(notes.Archived):  # somebody else was faster: it is where it was to go
        notes.archive(found, by=request.member)
    return _put_away(request, _note(request, note_id))


@page("POST")
def restore(request, note_id):
    """Bring an archived note back as it was."""
    found = _note(request, note_id)
    notes.restore(found, by=request.member)
    if wants_fragment(request) and "from_archive" in request.POST:
        shown = {"kept": "Restored.", "just": found.pk}
        return drawer.changed(drawer.part(request, found.agent, "coaching/_notes_list.html", **shown))
    return _answer(request, found, "Restored.")


@page()
def history(request, note_id):
    """Who changed what and when, version by version."""
    found = _note(request, note_id)
    require(request.member, Right.COACH_PEOPLE)
    return _shown(request, found, "coaching/_note_history.html", past=notes_page.history(found))


# ----------------------------------------------------------------------------------------------------------------------


def _write(request, agent):
    typed = TypedNote.of(request.POST)
    sample = _sample(request, agent, typed.sample)
    again = {"typed": typed, "retyped": True} | ({"note_id": typed.id} if typed.id else {})
    require(request.member, Right.COACH_PEOPLE)
    if "back" in request.POST:
        return drawer.part(request, agent, "coaching/_notes.html", **again)
    try:
        told = {"body": typed.body, "follow_up_at": typed.follow_up_at(), "shared_with_agent": typed.share}
        if typed.share and _asks_first(request):
            _checked(agent, told)
            return drawer.part(request, agent, "coaching/_notes.html", **again, preview=True, about=sample)
        note = notes.write(agent, by=request.member, sample=sample, id=typed.id, **told)
    except ValidationError as refusal:
        again["errors"] = _beside(refusal)
        return drawer.part(request, agent, "coaching/_notes.html", HTTPStatus.BAD_REQUEST, **again)
    kept = _shared_with(agent) if note.shared_with_agent else "Kept, private to leaders."
    if wants_fragment(request):
        return drawer.changed(drawer.part(request, agent, "coaching/_notes.html", typed=TypedNote(), kept=kept))
    messages.success(request, kept)
    return redirect(f"{reverse('team-agent', args=[agent.pk])}#notes")


def _older(request, agent):
    after = _note(request, drawer.uuid_or_404(request.GET.get("older", "")))
    context = {"section": "team", "agent": agent, "notes": notes_page.older(request.member, agent, after)}
    context["may_write"] = request.member.is_leader
    if wants_fragment(request):
        return render(request, "coaching/_note_lines.html", context | {"goes_on": True})
    return render(request, "coaching/older_notes.html", context)


def _note(request, note_id):
    return get_object_or_404(notes_page.readable(request.member), pk=note_id)


def _sample(request, agent, sample_id):
    if not sample_id:
        return None
    rows = Sample.objects.visible_to(request.member).filter(agent=agent).select_related("conversation")
    return get_object_or_404(rows, pk=drawer.uuid_or_404(sample_id))


def _asks_first(request):
    """Whether the member is to see what sharing shows before the first note of theirs is shared."""
    return "seen" not in request.POST and not notes_page.has_shared(request.member)


def _checked(agent, told, *, is_new_day=True):
    """Raise what the action would refuse, before somebody is shown how it will look."""
    notes.checked_body(told["body"])
    notes.checked_sharing(agent, told["shared_with_agent"])
    if is_new_day:
        notes.checked_follow_up(told["follow_up_at"])


def _beside(refusal):
    """The sentences of a refusal by the field of the form that they stand beside."""
    return {FIELDS.get(name, name): " ".join(said) for name, said in refusal.message_dict.items()}


def _said(note, *, was_shared, was_read):
    """What an edit came to, for the one who made it."""
    if note.shared_with_agent and not was_shared:
        return _shared_with(note.agent)
    if was_shared and not note.shared_with_agent:
        return f"Kept, private to leaders: {note.agent} does not see it any more."
    if was_read and note.acknowledged_at is None:
        return f"Kept. The new words count as not read by {note.agent}."
    return "Kept."


def _shared_with(agent):
    """That a note was shared, as far as anybody is there to read it."""
    if notes_page.reader_of(agent) is None:
        return f"Kept as shared. Nobody reads it until somebody is linked to {agent}."
    return f"Kept, and shared with {agent}."


def _race(note):
    """Who changed the note last."""
    last = note.history.select_related("history_user").latest("version")
    return {"by": last.history_user, "at": last.history_date}


def _form(request, note, typed, *, base=None, status=HTTPStatus.OK, **shown):
    """The note as a form. `base` is the version that was typed against."""
    shown |= {
        "typed": typed,
        "base_version": note.version if base is None else base,
        "picks": notes_page.picks(timezone.localdate()),
        "about": note.sample,
    }
    return _shown(request, note, "coaching/_note_edit.html", status, **shown)


def _put_away(request, note, *, typed="", status=HTTPStatus.OK):
    """What stands where a note was that is archived now."""
    if not wants_fragment(request) and not typed:
        messages.success(request, "Archived. It stands under the notes and can be restored there.")
        return redirect(f"{reverse('team-agent', args=[note.agent_id])}#notes-archived")
    return drawer.changed(_shown(request, note, "coaching/_note_archived.html", status, typed_body=typed))


def _answer(request, note, said):
    """The note as it stands after something was done to it."""
    if wants_fragment(request):
        return drawer.changed(_line(request, note, said=said))
    messages.success(request, said)
    return redirect(f"{reverse('team-agent', args=[note.agent_id])}#note-{note.pk}")


def _line(request, note, **shown):
    return _shown(request, note, "coaching/_note.html", **shown)


def _shown(request, note, template, status=HTTPStatus.OK, **shown):
    """One note drawn by `template`: where its line stood, or on a page of its own."""
    leads = request.member.is_leader
    context = {"note": note, "may_write": leads, "section": "team", "just": note.pk} | shown
    context |= {"reader": notes_page.reader_of(note.agent) if leads else None}
    if wants_fragment(request):
        return render(request, template, context, status=status)
    return render(request, "coaching/note.html", context | {"template": template, "whole_page": True}, status=status)
