"""Routes of coaching people: the drawer, notes, samples, follow-ups."""

import hashlib

from django.db import transaction
from django.db.models import UUIDField
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from agents import work
from agents.access import Right
from agents.api_base import (
    AgentField,
    AgentFilter,
    ApiView,
    ChoiceField,
    IdField,
    InstantField,
    PersonField,
    StrictFilterSet,
    StrictSerializer,
    TextField,
    UnknownRow,
    WholeField,
    YesNoField,
    epoch_ms,
    find_agent,
)
from agents.api_versions import agent_or_404
from agents.compiled import CompiledQuery, Parameter, columns_of, read_models
from agents.models import Agent, display_name
from coaching import calendar
from coaching.actions import notes, samples
from coaching.api.flags import FlagShown, day_ms, visible_flags
from coaching.models import Flag, Note, Sample
from coaching.models.notes import NOTE_LIMIT
from coaching.pages import drawer, sharing
from coaching.tasks import capture_sample
from helpdesk import scales
from helpdesk.models import Scale

MOST = 200  # samples and notes of one agent in one answer
PERSON = PersonField()


class NoteShown(StrictSerializer):
    id = IdField()
    agent = TextField(source="agent.name")
    agent_id = IdField()
    body = TextField()
    sample_id = IdField(allow_null=True)
    shared_with_agent = YesNoField()
    follow_up_at = InstantField(allow_null=True)
    author = PersonField()
    created_at = InstantField()
    updated_at = InstantField()
    archived_at = InstantField(allow_null=True)

    def to_representation(self, note):
        return self.shown(note, note.agent, PERSON.to_representation(note.author))

    @staticmethod
    def shown(note, agent, author):
        """The fields of `note`, a Note or a row with NOTE_COLUMNS; `author` is {id, name}. All at once, for a field at a time
        takes longer than reading the rows.

        To who it is shared with a note is as old as its being shared; when it is followed up is the leader's plan.
        """
        is_shared_with_me = hasattr(note, "shared_at")
        return {
            "id": note.id,
            "agent": agent.name,
            "agentId": agent.pk,
            "body": note.body,
            "sampleId": note.sample_id,
            "sharedWithAgent": note.shared_with_agent,
            "followUpAt": None if is_shared_with_me else epoch_ms(note.follow_up_at),
            "author": author,
            "createdAt": epoch_ms(note.shared_at if is_shared_with_me else note.created_at),
            "updatedAt": epoch_ms(note.words_at if is_shared_with_me else note.updated_at),
            "archivedAt": epoch_ms(note.archived_at),
        }


class NoteSent(StrictSerializer):
    agent = AgentField()
    body = TextField(max_length=NOTE_LIMIT)
    sample_id = IdField(required=False, allow_null=True, default=None)
    follow_up_at = InstantField(future=True, required=False, allow_null=True, default=None)
    shared_with_agent = YesNoField(default=False)


class NoteChange(StrictSerializer):
    body = TextField(max_length=NOTE_LIMIT, required=False)
    follow_up_at = InstantField(future=True, required=False, allow_null=True)
    shared_with_agent = YesNoField(required=False)


class SampleShown(StrictSerializer):
    id = IdField()
    agent = TextField(source="agent.name")
    agent_id = IdField()
    source = TextField(source="conversation.source")
    external_id = TextField(source="conversation.external_id")
    url = serializers.SerializerMethodField()
    csat = serializers.SerializerMethodField()
    scale = ChoiceField(choices=Scale.choices, allow_null=True)
    closed_at = InstantField(allow_null=True)
    summary = serializers.SerializerMethodField()
    summary_state = ChoiceField(choices=Sample.Summary.choices)
    captured_by = PersonField(allow_null=True, help_text="Null: the flag did.")

    def get_url(self, sample) -> str | None:
        return sample.url or None

    def get_csat(self, sample) -> float | str | None:
        """The value as the source gave it, a number where the scale has numbers."""
        return scales.plainly(sample.value, sample.scale) if sample.value else None

    def get_summary(self, sample) -> str | None:
        return sample.summary or None

    def to_representation(self, sample):
        talk, by = sample.conversation, sample.captured_by
        return self.shown(
            sample, sample.agent, (talk.source, talk.external_id), None if by is None else PERSON.to_representation(by)
        )

    def shown(self, sample, agent, conversation, captured_by):
        """The fields of `sample`, a Sample or a row of SAMPLES; `conversation` is (source, external id),
        `captured_by` {id, name} or None."""
        source, external_id = conversation
        return {
            "id": sample.id,
            "agent": agent.name,
            "agentId": agent.pk,
            "source": source,
            "externalId": external_id,
            "url": self.get_url(sample),
            "csat": self.get_csat(sample),
            "scale": sample.scale or None,
            "closedAt": epoch_ms(sample.closed_at),
            "summary": self.get_summary(sample),
            "summaryState": sample.summary_state,
            "capturedBy": captured_by,
        }


class SampleSent(StrictSerializer):
    source = TextField(max_length=50)
    external_id = TextField(max_length=300)
    agent = AgentField(required=False)


class PersonCoached(StrictSerializer):
    id = IdField()
    name = TextField()
    kind = ChoiceField(choices=Agent.Kind.choices)
    team = TextField(source="team.name", default=None, allow_null=True)


# Made once: to copy their fields for each answer takes longer than to fill them.
COACHED, FLAG, SAMPLE = PersonCoached(), FlagShown(), SampleShown()


class CoachingShown(StrictSerializer):
    agent = PersonCoached()
    flag = FlagShown(allow_null=True)
    samples = SampleShown(many=True)
    notes = NoteShown(many=True)


class Point(StrictSerializer):
    week = serializers.SerializerMethodField(help_text="Start of the week's first day, epoch milliseconds.")
    n = WholeField(help_text="Ratings of the week.")
    score = serializers.FloatField(allow_null=True, help_text="Their mean, 0..100; null without ratings.")
    expected = serializers.FloatField(
        allow_null=True,
        help_text="What the open automatic flag measured against; without one the agent's usual level, moved as the peers' was "
        "that week; null under 20 ratings.",
    )
    team = serializers.FloatField(
        allow_null=True,
        help_text="Mean of the peers; null without ratings, or where so few peers would give people away.",
    )

    def get_week(self, week) -> int:
        return day_ms(week.start, self.context["request"].member.workspace)


class TrajectoryShown(StrictSerializer):
    agent = TextField(source="agent.name")
    agent_id = IdField(source="agent.pk")
    points = Point(many=True)
    flag = FlagShown(allow_null=True)


class FollowUps(StrictSerializer):
    items = NoteShown(many=True)
    next_cursor = TextField(allow_null=True)
    feed_url = TextField(help_text="A private calendar address of the one who asks.")


class FollowUpFilters(StrictFilterSet):
    agent = AgentFilter(field_name="agent")


def visible_notes(member):
    rows = Note.objects.visible_to(member).select_related("agent", "author__user")
    return rows if member.is_leader else sharing.as_shared(rows)


def visible_samples(member):
    return Sample.objects.visible_to(member).select_related("agent", "conversation", "captured_by__user")


OF_AGENT = Parameter("agent", UUIDField())
OPEN_FLAG = CompiledQuery(
    lambda somebody: Flag.objects.visible_to(somebody).open().filter(agent=OF_AGENT),
    (*columns_of(Flag), "opened_by__user__name", "opened_by__user__email"),
)
SAMPLES = CompiledQuery(
    lambda somebody: (
        visible_samples(somebody).kept().filter(agent=OF_AGENT).order_by("score_hundredths", "-closed_at", "pk")[:MOST]
    ),
    (
        *("id", "url", "value", "scale", "closed_at", "summary", "summary_state", "captured_by_id"),
        *("conversation__source", "conversation__external_id"),
        *("captured_by__user__name", "captured_by__user__email"),
    ),
)
NOTE_COLUMNS = (
    *("id", "body", "sample_id", "shared_with_agent", "follow_up_at", "created_at", "updated_at", "archived_at"),
    *("author_id", "author__user__name", "author__user__email"),
)
NOTES = CompiledQuery(
    lambda leader: visible_notes(leader).current().filter(agent=OF_AGENT).order_by("-created_at", "pk")[:MOST],
    NOTE_COLUMNS,
)
NOTES_AS_SHARED = CompiledQuery(
    lambda member: visible_notes(member).current().filter(agent=OF_AGENT).order_by("-shared_at", "pk")[:MOST],
    (*NOTE_COLUMNS, "shared_at", "words_at"),
)


def _person(pk, name, email) -> dict | None:
    """{id, name} as PersonField has it; None for nobody."""
    return None if pk is None else {"id": pk, "name": display_name(name, email)}


class Coaching(ApiView):
    """One agent's open flag, samples (worst first) and notes (newest first), at most 200 of each."""

    for_members = ("GET",)
    parameters = {"GET": ("agent",)}

    @extend_schema(responses=CoachingShown)
    def get(self, request):
        reference = request.query_params.get("agent")
        if reference is None:
            raise ValidationError({"agent": "Say whose: an id or an exact name."})
        agent = find_agent(request.member, reference)
        return Response(
            {
                "agent": COACHED.to_representation(agent),
                "flag": self.flag(agent),
                "samples": self.samples(agent),
                "notes": self.notes(agent),
            }
        )

    def flag(self, agent) -> dict | None:
        """The open flag; there is one at most."""
        for row in OPEN_FLAG.rows(self.member, agent=agent.pk):
            *_, name, email = row
            [flag] = read_models(row, Flag)
            flag.agent, flag.workspace, flag.closed_by = agent, agent.workspace, None  # it is open
            by = _person(flag.opened_by_id, name, email)
            flag.opened_by = None
            return FLAG.to_representation(flag) | {"openedBy": by}
        return None

    def samples(self, agent) -> list[dict]:
        return [
            SAMPLE.shown(
                row,
                agent,
                (row.conversation__source, row.conversation__external_id),
                _person(row.captured_by_id, row.captured_by__user__name, row.captured_by__user__email),
            )
            for row in SAMPLES.rows(self.member, agent=agent.pk)
        ]

    def notes(self, agent) -> list[dict]:
        """To who leads all of them, newest first; to others what is shared, as old as its being shared."""
        asked = NOTES if self.member.is_leader else NOTES_AS_SHARED
        return [
            NoteShown.shown(row, agent, _person(row.author_id, row.author__user__name, row.author__user__email))
            for row in asked.rows(self.member, agent=agent.pk)
        ]


class AgentTrajectory(ApiView):
    """One agent's CSAT in the last 26 weeks, oldest first, and the open flag with its evidence where there is one.

    A week is seven days, the last one ends today. Flags are shown to leaders only.
    """

    for_members = ("GET",)

    @extend_schema(responses=TrajectoryShown)
    def get(self, request, agent_id):
        agent = agent_or_404(request.member, agent_id)
        flag = visible_flags(request.member).open().filter(agent=agent).first()
        answer = {"agent": agent, "points": drawer.weeks(request.member, agent, flag), "flag": flag}
        return Response(TrajectoryShown(answer, context=self.get_serializer_context()).data)


class Notes(ApiView):
    rights = {"POST": Right.COACH_PEOPLE}

    @extend_schema(request=NoteSent, responses={201: NoteShown})
    def post(self, request):
        """Private to owners and admins unless `sharedWithAgent` is true. A `followUpAt` lies ahead, within ten years."""
        sent = self.read(NoteSent)
        sample, sample_id = None, sent.pop("sample_id")
        if sample_id is not None:
            sample = Sample.objects.visible_to(request.member).filter(pk=sample_id).first()
            if sample is None:
                raise UnknownRow("There is no such sample here.", "sampleId")
        note = notes.write(sent.pop("agent"), by=request.member, sample=sample, **sent)
        return Response(NoteShown(note).data, status=status.HTTP_201_CREATED)


class OneNote(ApiView):
    for_members = ("GET",)

    @extend_schema(responses=NoteShown)
    def get(self, request, note_id):
        return Response(NoteShown(self.note(note_id)).data)

    @extend_schema(request=NoteChange, responses=NoteShown)
    def patch(self, request, note_id):
        """Only the fields that are named change, so that two who edit one note lose nothing of each other's. An archived note
        answers 409.
        """
        note = self.note(note_id)
        changes = self.read(NoteChange)
        if not changes:
            raise ValidationError("This changes nothing.")
        return Response(NoteShown(notes.edit(note, by=request.member, **changes)).data)

    @extend_schema(responses={204: None})
    def delete(self, request, note_id):
        """It is put away with its history, and can be restored on the person's page."""
        notes.archive(self.note(note_id), by=request.member)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def note(self, note_id):
        return get_object_or_404(visible_notes(self.member), pk=note_id)


class Samples(ApiView):
    rights = {"POST": Right.COACH_PEOPLE}

    @extend_schema(request=SampleSent, responses={201: SampleShown})
    def post(self, request):
        """Keep a conversation by what its source calls it; the same one twice is one sample. With `agent` it may be one that was
        never seen here. The summary is written by a worker: `summaryState` says how far it is.
        """
        sent = self.read(SampleSent)
        with transaction.atomic():
            sample = samples.pin_by_reference(
                sent["source"], sent["external_id"], by=request.member, agent=sent.get("agent")
            )
            work.start_soon(capture_sample, str(sample.pk))
        shown = SampleShown(visible_samples(request.member).get(pk=sample.pk))
        return Response(shown.data, status=status.HTTP_201_CREATED)


class OneSample(ApiView):
    for_members = ("GET",)

    @extend_schema(responses=SampleShown)
    def get(self, request, sample_id):
        return Response(SampleShown(self.sample(sample_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request, sample_id):
        """Put it away. Notes about it stay."""
        samples.unpin(self.sample(sample_id), by=request.member)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def sample(self, sample_id):
        return get_object_or_404(visible_samples(self.member).kept(), pk=sample_id)


class FollowUpList(ApiView):
    """Follow-ups that are not done yet, the next one first."""

    rights = {"GET": Right.COACH_PEOPLE}
    filterset_class = FollowUpFilters
    ordering = ("follow_up_at", "id")
    queryset = Note.objects.none()

    @extend_schema(responses=FollowUps)
    def get(self, request):
        response = self.page(visible_notes(request.member).following_up(), NoteShown)
        response.data["feedUrl"] = calendar.feed_url(request.member)
        return response


class FollowUpFeed(ApiView):
    """The follow-ups of the leader whose key this is, for calendar programs, which can send no token."""

    authentication_classes = ()
    permission_classes = ()
    parameters = {"GET": ("key",)}

    @extend_schema(responses={(200, "text/calendar"): OpenApiTypes.STR, 304: None}, auth=[])
    def get(self, request):
        member = calendar.reader_of(request.query_params.get("key", ""))
        if member is None:
            raise Http404
        feed = calendar.feed(member)
        response = HttpResponse(feed, content_type="text/calendar; charset=utf-8")
        response["Content-Disposition"] = 'inline; filename="follow-ups.ics"'
        response["Cache-Control"] = "private, no-cache"  # may be kept by who reads it, and is asked for again each time
        response["ETag"] = etag = f'"{hashlib.sha256(feed).hexdigest()[:32]}"'
        return get_conditional_response(request._request, etag=etag, response=response)

    def perform_content_negotiation(self, request, force=False):
        return super().perform_content_negotiation(request, force=True)  # calendar programs ask for anything


urlpatterns = [
    path("coaching", Coaching.as_view(), name="api-coaching"),
    path("agents/<uuid:agent_id>/trajectory", AgentTrajectory.as_view(), name="api-agent-trajectory"),
    path("coaching/notes", Notes.as_view(), name="api-notes"),
    path("coaching/notes/<uuid:note_id>", OneNote.as_view(), name="api-note"),
    path("coaching/samples", Samples.as_view(), name="api-samples"),
    path("coaching/samples/<uuid:sample_id>", OneSample.as_view(), name="api-sample"),
    path("coaching/follow-ups", FollowUpList.as_view(), name="api-follow-ups"),
    path("coaching/follow-ups.ics", FollowUpFeed.as_view(), name="api-follow-up-feed"),
]
