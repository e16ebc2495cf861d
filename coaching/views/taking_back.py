"""Taking a change back, as every page that offers it answers (templates/coaching/_take_back.html)."""

from http import HTTPStatus

from django.core.exceptions import ValidationError
from django.utils.html import format_html

from agents.models import Configuration, Door
from agents.versions import Conflict
from coaching import forms
from coaching.actions import changes
from coaching.pages import take_back
from coaching.pages.typed import number_or_none


def shown(made: Configuration, form=None, refused="") -> dict:
    """What the template needs: `back`, `back_form` where something is to be typed, `back_refused`."""
    back = take_back.load(made)
    if form is None and back.start and back.may_be_done:
        initial = {**back.start, "base_version": back.current_version}
        form = forms.FORMS[made.target_kind](initial=initial)
    return {"back": back, "back_form": form if back.may_be_done else None, "back_refused": refused}


def attempt(request, made: Configuration):
    """Take it back as the template's form asks. Returns (its Configuration, {}, 200), or (None, what the template needs to
    say why not, status)."""
    form, change = None, None
    if request.POST.get("edited"):
        form = forms.FORMS[made.target_kind](request.POST)
        if not form.is_valid():
            return None, shown(made, form), HTTPStatus.BAD_REQUEST
        change = form.changes
    base_version = number_or_none(request.POST.get("base_version"))
    note = request.POST.get("note", "").strip()[:5_000]
    try:
        undone = changes.take_back(
            made, by=request.member, door=Door.PAGE, note=note, change=change, base_version=base_version
        )
    except changes.AlreadyTakenBack as late:
        words = format_html('{} <a href="{}">See that version</a>', late, take_back.address(late.made))
        return None, shown(made, refused=words), HTTPStatus.CONFLICT
    except Conflict:
        return None, shown(made, _against_now(made, form), _moved(form)), HTTPStatus.CONFLICT
    except changes.NothingToTakeBack as refusal:
        return None, shown(made, refused=str(refusal)), HTTPStatus.CONFLICT
    except ValidationError as refusal:
        if form is None:
            return None, shown(made, refused=" ".join(refusal.messages)), HTTPStatus.CONFLICT
        form.refuse(refusal)
        return None, shown(made, form), HTTPStatus.BAD_REQUEST
    return undone, {}, HTTPStatus.OK


def _moved(form):
    if form is None:
        return "It was not taken back: what it changed has been changed again since."
    return "It was not taken back: it was changed again while you were typing. What you typed is kept below."


def _against_now(made, form):
    """The form as it was typed, from now on against the version that is there now."""
    if form is None:
        return None
    current = take_back.load(made).current_version
    form.data = form.data.copy()
    form.data["base_version"] = current or ""
    return form
