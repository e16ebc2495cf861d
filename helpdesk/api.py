"""Routes of conversations, ratings and deep links."""

import django_filters
from django.db.models import Prefetch
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from agents.access import Right, may
from agents.api_base import (
    AgentFilter,
    ApiView,
    ChoiceField,
    IdField,
    InstantField,
    InstantFilter,
    Problem,
    StrictFilterSet,
    StrictSerializer,
    TextField,
    WholeField,
    YesNoFilter,
    problem_of,
)
from agents.api_parsing import StrictJSONParser
from agents.models import Door
from helpdesk import actions, deeplinks, rows, scales, sources, transcripts
from helpdesk.actions import Outcome
from helpdesk.models import Conversation, DeepLink, Rating, Scale

MOST_RATINGS = 5_000  # in one request


@problem_of.register
def _(exc: rows.Refused):
    errors = {exc.field: [exc.detail]} if exc.field else {}
    return Problem(400, str(exc), kind="refused-fields" if errors else "", errors=errors)


@problem_of.register
def _(exc: rows.TooLarge):
    return Problem(413, str(exc))


@problem_of.register
def _(exc: transcripts.TranscriptUnavailable):
    return Problem(404, str(exc), kind="transcript-unavailable")


# --- Ratings ---------------------------------------------------------------------------------------------------------


class RatingSent(StrictSerializer):
    """`agent` is an id, an exact name, or how the source calls the agent; `value` is read on `scale`."""

    source = TextField(default="api")
    external_id = TextField(max_length=300)
    agent = TextField(max_length=300)
    value = serializers.JSONField(help_text="A number or text.")
    scale = ChoiceField(choices=Scale.choices)
    rated_at = InstantField()
    closed_at = InstantField(required=False)


class RatingsSent(StrictSerializer):
    items = RatingSent(many=True, max_length=MOST_RATINGS)


class RejectedRow(StrictSerializer):
    index = WholeField(help_text="The item's place, from 0.")
    detail = TextField()


class RatingsTaken(StrictSerializer):
    """How many items were a conversation's first rating, changed what was known, were known; and which were refused."""

    accepted = WholeField()
    updated = WholeField()
    unchanged = WholeField(help_text="Known already, or kept although a later rating of the conversation counts.")
    rejected = RejectedRow(many=True)


class ItemsParser(StrictJSONParser):
    """Leaves NUL characters and lone surrogates to the reader of each item, so that they refuse no other."""

    checks_characters = False


class Ratings(ApiView):
    rights = {"POST": Right.IMPORT}
    parser_classes = (ItemsParser,)

    @extend_schema(request=RatingsSent, responses=RatingsTaken)
    def post(self, request):
        """Up to 5,000 at once. Good rows land even where others are refused; the same row twice changes nothing."""
        items = _items(request.data)
        now, read, places, rejected = timezone.now(), [], [], []
        for index, item in enumerate(items):
            try:
                read.append(rows.rating_from_json(item, now=now))
                places.append(index)
            except rows.Refused as refused:
                rejected.append({"index": index, "detail": str(refused)})
        recorded = actions.record_ratings(request.member.workspace, read, by=request.member, door=Door.API)
        counts = dict.fromkeys(Outcome, 0)
        for index, fate in zip(places, recorded.fates, strict=True):
            if isinstance(fate, rows.Refused):
                rejected.append({"index": index, "detail": str(fate)})
            else:
                counts[fate] += 1
        answer = {
            "accepted": counts[Outcome.ACCEPTED],
            "updated": counts[Outcome.UPDATED],
            "unchanged": counts[Outcome.UNCHANGED] + counts[Outcome.SUPERSEDED],
            "rejected": sorted(rejected, key=lambda row: row["index"]),
        }
        return Response(answer)


def _items(body):
    """The list of items; each is read on its own, so that one that is refused stops no other."""
    if not isinstance(body, dict):
        raise ValidationError("This must be a JSON object.")
    unknown = {rows.storable(name)[:100]: "There is no such field." for name in body if name != "items"}
    if unknown:
        raise ValidationError(unknown)
    items = body.get("items")
    if not isinstance(items, list):
        raise ValidationError({"items": "This must be a list."})
    if len(items) > MOST_RATINGS:
        raise ValidationError({"items": f"These are {len(items):,} items; one request takes at most {MOST_RATINGS:,}."})
    return items


# --- Conversations ---------------------------------------------------------------------------------------------------


class CsatSent(StrictSerializer):
    value = serializers.JSONField(help_text="A number or text.")
    scale = ChoiceField(choices=Scale.choices)
    rated_at = InstantField()


class TurnSent(StrictSerializer):
    role = ChoiceField(choices=[(role, role) for role in transcripts.ROLES])
    text = TextField(allow_blank=True, help_text="Only a tool's turn may be empty.")
    at = InstantField(required=False)
    name = TextField(required=False, max_length=200)


class MemoryServed(StrictSerializer):
    id = IdField()
    version = WholeField(min_value=1)


class ConversationSent(StrictSerializer):
    """Known by (source, externalId). What is not sent stays as it is; `csat: null` says that there is no rating."""

    source = TextField(default="api")
    external_id = TextField(max_length=300)
    agent = TextField(max_length=300)
    opened_at = InstantField(required=False)
    closed_at = InstantField(required=False)
    status = ChoiceField(choices=Conversation.Status.choices, required=False)
    channel = TextField(max_length=50, required=False)
    csat = CsatSent(required=False, allow_null=True)
    transcript = TurnSent(many=True, required=False)
    configuration_version = WholeField(min_value=1, required=False)
    memories_served = MemoryServed(many=True, required=False)


@extend_schema_field({"oneOf": [{"type": "number"}, {"type": "string"}]})
class ValueField(serializers.Field):
    """A rating's value as its source gave it."""

    def to_representation(self, rating):
        return scales.plainly(rating.value, rating.scale)


class Csat(StrictSerializer):
    value = ValueField(source="*")
    scale = ChoiceField(choices=Scale.choices)
    score = serializers.FloatField(min_value=0, max_value=100)
    rated_at = InstantField()
    credit = ChoiceField(choices=Rating.Credit.choices)


class ConversationShown(StrictSerializer):
    id = IdField()
    source = TextField()
    external_id = TextField()
    agent = TextField(source="agent.name", default=None, allow_null=True)
    agent_id = IdField(allow_null=True)
    status = ChoiceField(choices=Conversation.Status.choices)
    channel = TextField()
    opened_at = InstantField(allow_null=True)
    closed_at = InstantField(allow_null=True)
    csat = serializers.SerializerMethodField()
    turn_count = WholeField(allow_null=True)
    configuration_version = WholeField(allow_null=True)
    memories_served = MemoryServed(many=True)

    @extend_schema_field(Csat(allow_null=True))
    def get_csat(self, conversation):
        return Csat(conversation.counted[0]).data if conversation.counted else None


@extend_schema_field({"type": "number", "minimum": 0, "maximum": 100})
class ScoreFilter(django_filters.NumberFilter):
    """A score, 0 (worst) to 100 (best)."""


class ConversationFilters(StrictFilterSet):
    agent = AgentFilter(field_name="agent")
    source = django_filters.CharFilter()
    scoreBelow = ScoreFilter(method="narrow_to_lower", min_value=0, max_value=100)
    scoreAbove = ScoreFilter(method="narrow_to_higher", min_value=0, max_value=100)
    closedAfter = InstantFilter(field_name="closed_at", lookup_expr="gte")
    closedBefore = InstantFilter(field_name="closed_at", lookup_expr="lt")
    flagged = YesNoFilter(method="narrow_to_flagged")

    def narrow_to_lower(self, found, name, score):
        return found.filter(ratings__counts=True, ratings__score_hundredths__lt=score * 100)

    def narrow_to_higher(self, found, name, score):
        return found.filter(ratings__counts=True, ratings__score_hundredths__gt=score * 100)

    def narrow_to_flagged(self, found, name, flagged):
        """Of agents with an open flag. Flags live above this app and are known here by their relation only."""
        with_open_flag = {"agent__flags__status": "open"}
        return found.filter(**with_open_flag) if flagged else found.exclude(**with_open_flag)


def _conversations(member):
    counting = Prefetch("ratings", Rating.objects.counting(), to_attr="counted")
    found = Conversation.objects.visible_to(member).select_related("agent").prefetch_related(counting)
    return found if may(member, Right.READ_AI) else found.none()


class Conversations(ApiView):
    rights = {"GET": Right.READ_AI, "POST": Right.IMPORT}
    filterset_class = ConversationFilters
    ordering = ("-closed_at", "-id")
    queryset = Conversation.objects.none()

    @extend_schema(responses=ConversationShown(many=True))
    def get(self, request):
        return self.page(_conversations(request.member), ConversationShown)

    @extend_schema(request=ConversationSent, responses={200: ConversationShown, 201: ConversationShown})
    def post(self, request):
        """Known by source and externalId: 201 for a new one, 200 where it was known. What is not sent stays as it is."""
        row = rows.conversation_from_json(request.data, now=timezone.now())
        conversation, outcome = actions.upsert_conversation(request.member.workspace, row, by=request.member)
        shown = ConversationShown(_conversations(request.member).get(pk=conversation.pk))
        created = outcome is Outcome.ACCEPTED
        return Response(shown.data, status=status.HTTP_201_CREATED if created else status.HTTP_200_OK)


@extend_schema_view(get=extend_schema(responses=ConversationShown))
class OneConversation(ApiView):
    def get(self, request, conversation_id):
        return Response(ConversationShown(get_object_or_404(_conversations(request.member), pk=conversation_id)).data)


class TranscriptTurnShown(StrictSerializer):
    turn = WholeField(help_text="Its number, from 0.")
    role = ChoiceField(choices=[(role, role) for role in transcripts.ROLES])
    text = TextField()
    at = InstantField(required=False)
    name = TextField(required=False)


class TranscriptShown(StrictSerializer):
    items = TranscriptTurnShown(many=True)


class OneTranscript(ApiView):
    """Read through the source, and kept nowhere on the way: `Cache-Control: no-store`."""

    @extend_schema(responses=TranscriptShown)
    def get(self, request, conversation_id):
        conversation = get_object_or_404(_conversations(request.member), pk=conversation_id)
        transcript = sources.read(conversation)
        items = [{"turn": number, **turn.as_json()} for number, turn in enumerate(transcript)]
        return Response({"items": items}, headers={"Cache-Control": "no-store"})


# --- Deep links ------------------------------------------------------------------------------------------------------


class Keys(serializers.DictField):
    """{name: value} for the names in braces, besides id."""

    child = TextField(max_length=200)


class DeepLinkSent(StrictSerializer):
    source = TextField(max_length=50)
    conversation_pattern = TextField(max_length=deeplinks.LONGEST)
    account_pattern = TextField(max_length=deeplinks.LONGEST, allow_blank=True, default="")
    keys = Keys(required=False)


class DeepLinkShown(StrictSerializer):
    source = TextField()
    conversation_pattern = TextField()
    account_pattern = TextField()
    keys = Keys()


class DeepLinks(ApiView):
    """How conversations are opened in their helpdesk, a pattern per source."""

    rights = {"GET": Right.MANAGE_WORKSPACE, "PUT": Right.MANAGE_WORKSPACE}
    ordering = ("source", "id")
    queryset = DeepLink.objects.none()

    @extend_schema(responses=DeepLinkShown(many=True))
    def get(self, request):
        return self.page(DeepLink.objects.visible_to(request.member), DeepLinkShown)

    @extend_schema(request=DeepLinkSent, responses=DeepLinkShown)
    def put(self, request):
        saved = deeplinks.save(request.member.workspace, by=request.member, **self.read(DeepLinkSent))
        return Response(DeepLinkShown(saved).data)


urlpatterns = [
    path("ratings", Ratings.as_view()),
    path("conversations", Conversations.as_view()),
    path("conversations/<uuid:conversation_id>", OneConversation.as_view()),
    path("conversations/<uuid:conversation_id>/transcript", OneTranscript.as_view()),
    path("deeplinks", DeepLinks.as_view()),
]
