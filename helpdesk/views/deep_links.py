"""Settings › Deep links: for each source of conversations, how one of them is opened in its helpdesk."""

from collections import defaultdict
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import pairwise

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import slugify

from agents.access import Right, require
from agents.forms import Typed
from agents.pages import page, wants_fragment
from helpdesk import deeplinks
from helpdesk.models import API_SOURCE, DeepLink
from helpdesk.vendors.registry import VENDORS

SAMPLE = "1001"  # stands for an id where no conversation of the source came in yet
SHOWN_VERSIONS = 5  # of a source's patterns
READ_VERSIONS = 200  # of all sources together
KEY = "key-"  # begins the name of a further key's field


@dataclass(frozen=True)
class Shape:
    """How addresses of a known helpdesk look, to start a pattern from."""

    source: str
    name: str
    pattern: str


SHAPES = sorted(
    [
        Shape("hubspot", "HubSpot", "https://app.hubspot.com/contacts/{portal}/record/0-5/{id}"),
        *(
            Shape(vendor.name, vendor.label, vendor.deep_link.replace("{base}", vendor.address.default))
            for vendor in VENDORS.values()
            if vendor.reads
        ),
    ],
    key=lambda shape: shape.name,
)


class PatternForm(Typed):
    """The patterns of one source, and a field for each further key that stands in them."""

    source = forms.CharField(
        label="Source",
        max_length=50,
        error_messages={"required": "Name the source, as the conversations do: zendesk, for one."},
        help_text="As it stands in the conversations that are brought in, such as zendesk.",
    )
    conversation_pattern = forms.CharField(
        label="Address of a conversation",
        max_length=deeplinks.LONGEST,
        error_messages={
            "required": "Without an address there is nothing to open. To take the links away, remove them."
        },
        help_text="{id} stands for the conversation’s id. Other names in braces become fields below.",
    )
    account_pattern = forms.CharField(
        label="Address of a customer’s account",
        required=False,
        max_length=deeplinks.LONGEST,
        help_text="Optional. {id} stands for the account’s id.",
    )
    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data=None, *, source, **kwargs):
        super().__init__(data, auto_id=f"id_{slugify(source) or 'new'}_%s", **kwargs)
        told = self.data if self.is_bound else self.initial
        self.patterns = [str(told.get(name, "")).strip() for name in ("conversation_pattern", "account_pattern")]
        self.key_names = deeplinks.keys_of(*self.patterns)[: deeplinks.MOST_KEYS]
        for name in self.key_names:
            self.fields[KEY + name] = forms.CharField(label=name, required=False)
        for name in ("conversation_pattern", "account_pattern"):
            self.fields[name].widget.attrs |= {"autocomplete": "off", "spellcheck": "false", "class": "address"}

    @property
    def key_fields(self):
        return [self[KEY + name] for name in self.key_names]

    @property
    def values(self):
        """What the further keys stand for, as typed or as stored: {name: value}."""
        told = self.data if self.is_bound else self.initial
        return {name: str(told.get(KEY + name, "")).strip() for name in self.key_names}

    def clean(self):
        for name, why in faults(self).items():
            if name not in self.errors:
                self.add_error(name, why)
        return self.cleaned_data


def faults(form):
    """What of the patterns and their keys cannot be used, as {field: sentence}."""
    found = {}
    for name, pattern in zip(("conversation_pattern", "account_pattern"), form.patterns, strict=True):
        try:
            if pattern:
                deeplinks.check(pattern, needs=deeplinks.ID if name == "conversation_pattern" else "")
        except deeplinks.NotAPattern as error:
            found[name] = str(error)
    if not found:
        found = {KEY + name: why for name, why in deeplinks.wrong_values(form.patterns, form.values).items()}
    return found


@dataclass(frozen=True)
class Preview:
    """What the pattern makes of one conversation's id: a link, or why none."""

    external_id: str
    is_real: bool
    url: str
    why: str


@dataclass(frozen=True)
class Version:
    row: object
    words: str


@dataclass(frozen=True)
class Card:
    """One source: its patterns as stored or as typed, what they make, and what they were."""

    source: str
    link: DeepLink | None
    form: PatternForm
    preview: Preview | None
    versions: list[Version] = field(default_factory=list)
    is_open: bool = False

    @property
    def is_ours(self):
        return self.source == API_SOURCE

    @property
    def anchor(self):
        return f"source-{self.source or 'new'}"


@page("GET", "POST")
def deep_links(request):
    """A card for each source; a POST stores the patterns of one, or with `look` shows what they would make."""
    require(request.member, Right.MANAGE_WORKSPACE)
    if request.method != "POST":
        return _show(request, suggested=_suggested(request))
    source = request.POST.get("source", "").strip()
    form = PatternForm(request.POST, source=_card_of(request, source))
    if "look" in request.POST:
        form.is_valid()
        return _show(request, typed=form)
    status = HTTPStatus.BAD_REQUEST
    if form.is_valid():
        try:
            deeplinks.save(
                request.member.workspace,
                by=request.member,
                source=source,
                conversation_pattern=form.patterns[0],
                account_pattern=form.patterns[1],
                keys=form.values,
                version=form.cleaned_data["version"],
            )
        except ValidationError as refusal:
            form.refuse(refusal)
        except deeplinks.ChangedMeanwhile as refusal:
            form.add_error(None, str(refusal))
            status = HTTPStatus.CONFLICT
        else:
            messages.success(
                request, f"Saved. New samples of {source} carry this link; links made before stay as they are."
            )
            return redirect(f"{reverse('settings-deep-links')}#source-{source}")
    return _show(request, typed=form, status=status)


@page("POST")
def preview(request):
    """What the patterns that are being typed make of a conversation's id, and the fields of their keys."""
    require(request.member, Right.MANAGE_WORKSPACE)
    if not wants_fragment(request):
        return redirect("settings-deep-links")
    source = request.POST.get("source", "").strip()
    form = PatternForm(request.POST, source=request.POST.get("card", ""))
    known = deeplinks.sources(request.member.workspace)
    card = Card(source=request.POST.get("card", ""), link=None, form=form, preview=_preview(form, known.get(source)))
    return render(request, "helpdesk/_deep_link_made.html", {"card": card})


@page("POST")
def remove(request, link_id):
    """Forget the patterns of one source. Links that were made with them stay."""
    link = get_object_or_404(DeepLink.objects.visible_to(request.member), pk=link_id)
    source = link.source
    deeplinks.remove(link, by=request.member)
    messages.success(request, f"Removed. Samples of {source} that have a link keep it; new ones get none.")
    return redirect("settings-deep-links")


def _card_of(request, source):
    """Which card was sent: that of its source, or the one for a new source."""
    return "" if request.POST.get("card") == "" else source


def _suggested(request):
    """(source, shape) that a link of the page asks to start from; (source, None) where it only opens a card."""
    shape = next((one for one in SHAPES if one.source == request.GET.get("shape")), None)
    return request.GET.get("source", "") or (shape.source if shape else ""), shape


def _show(request, *, typed=None, suggested=("", None), status=HTTPStatus.OK):
    workspace = request.member.workspace
    links = {link.source: link for link in DeepLink.objects.visible_to(request.member)}
    known = deeplinks.sources(workspace)
    versions = _versions(workspace)
    names = sorted({*links, *known})
    cards = [
        _card(name, links.get(name), known.get(name), versions.get(name, []), typed=typed, suggested=suggested)
        for name in names
    ]
    is_new_typed = typed is not None and typed.data.get("source", "").strip() not in names
    is_new_suggested = suggested[1] is not None and suggested[0] not in names
    new = _new_card(typed if is_new_typed else None, suggested[1] if is_new_suggested else None, is_first=not names)
    context = {"section": "settings", "tab": "settings-deep-links", "cards": cards, "new": new, "shapes": SHAPES}
    context |= {"has_sources": bool(names), "new_shapes": [shape for shape in SHAPES if shape.source not in names]}
    return render(request, "helpdesk/settings_deep_links.html", context, status=status)


def _card(source, link, external_id, versions, *, typed, suggested):
    is_typed = typed is not None and typed.data.get("source", "").strip() == source
    shape = suggested[1] if suggested[0] == source else None
    form = typed if is_typed else PatternForm(source=source, initial=_stored(source, link, shape))
    is_open = is_typed or suggested[0] == source
    return Card(source, link, form, _preview(form, external_id), versions, is_open)


def _new_card(typed, shape, *, is_first):
    form = typed or PatternForm(source="", initial=_stored(shape.source if shape else "", None, shape))
    return Card("", None, form, _preview(form, None), [], bool(typed or shape or is_first))


def _stored(source, link, shape):
    known = {"source": source, "version": link.version if link else 0}
    if link is not None:
        known |= {"conversation_pattern": link.conversation_pattern, "account_pattern": link.account_pattern}
        known |= {KEY + name: value for name, value in link.keys.items()}
    if shape is not None:
        known |= {"conversation_pattern": shape.pattern}
    return known


def _preview(form, external_id):
    """What the conversation's pattern makes; None where there is none yet."""
    pattern = form.patterns[0]
    if not pattern:
        return None
    told, is_real = (external_id, True) if external_id else (SAMPLE, False)
    wrong = faults(form)
    url = "" if wrong else deeplinks.render(pattern, form.values | {deeplinks.ID: told})
    why = next(
        iter(wrong.values()), "" if url else "With this id the address would be too long, or none that can be opened."
    )
    missing = [name for name in form.key_names if not form.values[name]]
    if missing and all(name.startswith(KEY) for name in wrong):
        why = f"Say what {{{missing[0]}}} stands for."
    return Preview(told, is_real, url, why)


def _versions(workspace):
    """The newest versions of each source's patterns, removed ones among them, with what each changed."""
    rows = DeepLink.history.filter(workspace=workspace.pk).select_related("history_user")
    by_source = defaultdict(list)
    for row in rows.order_by("-history_date", "-history_id")[:READ_VERSIONS]:
        by_source[row.source].append(row)
    return {
        source: [Version(row, _words(row, before)) for row, before in pairwise([*found, None])][:SHOWN_VERSIONS]
        for source, found in by_source.items()
    }


def _words(row, before):
    if row.history_type == "-":
        return "Removed"
    if before is None or before.history_type == "-" or row.conversation_pattern != before.conversation_pattern:
        return row.conversation_pattern
    if row.account_pattern != before.account_pattern:
        return f"Account: {row.account_pattern or 'none any more'}"
    changed = sorted(name for name, value in row.keys.items() if before.keys.get(name) != value)
    return ", ".join(f"{name}: {row.keys[name]}" for name in changed) or "A key was taken away"
