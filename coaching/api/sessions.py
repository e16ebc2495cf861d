"""Routes of talks with the coach: start, ask, follow, retry, stop."""

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.renderers import JSONRenderer
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
    StrictFilterSet,
    StrictSerializer,
    TextField,
    UnknownRow,
    WholeField,
    whole_parameter,
)
from agents.api_versions import NothingMore
from coaching.actions import sessions
from coaching.models import Message, Session, Turn, TurnEvent
from coaching.models.sessions import MESSAGE_LIMIT
from coaching.talks import streams
from coaching.tasks import run_turn
from helpdesk.models import Conversation
from helpdesk.transcripts import MOST_TURNS


class SessionSent(StrictSerializer):
    agent = AgentField()
    conversation = IdField(required=False, allow_null=True, default=None)
    conversations = serializers.ListField(child=IdField(), required=False, default=list, max_length=sessions.SET_LIMIT)


class Focus(StrictSerializer):
    turns = serializers.ListField(child=WholeField(max_value=MOST_TURNS), max_length=MOST_TURNS)


class MessageSent(StrictSerializer):
    text = TextField(max_length=MESSAGE_LIMIT)
    focus = Focus(required=False, allow_null=True)


class MessageShown(StrictSerializer):
    id = IdField()
    turn = IdField(source="turn_id")
    role = ChoiceField(choices=Message.Role.choices)
    text = TextField()
    focus = serializers.SerializerMethodField()
    created_at = InstantField()

    @extend_schema_field(Focus(allow_null=True))
    def get_focus(self, message):
        return {"turns": message.focus} if message.focus else None


class Usage(serializers.Serializer):
    """Over all rounds of the turn, as far as it is; empty before the second."""

    inputTokens = WholeField(required=False)
    outputTokens = WholeField(required=False)
    cacheReadTokens = WholeField(required=False)
    cacheCreationTokens = WholeField(required=False)
    rounds = WholeField(required=False)
    model = TextField(required=False)
    latencyMs = WholeField(required=False)


class Suggestions(serializers.ListField):
    """What the coach says to ask next; told only where it says something."""

    child = TextField()

    def __init__(self):
        super().__init__(source="*", required=False, help_text="What the coach says to ask next.")

    def to_representation(self, turn):
        said = self.context["messages"] if "messages" in self.context else turn.messages.all()
        answers = (each for each in said if each.turn_id == turn.pk and each.role == Message.Role.COACH)
        return list(sessions.suggestions(next(answers, None)))


class TurnShown(StrictSerializer):
    id = IdField()
    state = ChoiceField(choices=Turn.State.choices)
    error = TextField(required=False, help_text="One plain sentence, where the turn failed.")
    usage = serializers.SerializerMethodField()
    suggestions = Suggestions()
    retry_of = IdField(source="retry_of_id", allow_null=True)
    created_at = InstantField()

    @extend_schema_field(Usage)
    def get_usage(self, turn):
        return turn.usage

    def to_representation(self, turn):
        shown = super().to_representation(turn)
        if not turn.error:
            del shown["error"]
        if not shown["suggestions"]:
            del shown["suggestions"]
        return shown


class TurnTaken(StrictSerializer):
    turn = TurnShown()


class SessionShown(StrictSerializer):
    id = IdField()
    agent = TextField(source="agent.name")
    agent_id = IdField()
    conversation = IdField(source="conversation_id", allow_null=True)
    conversations = serializers.SerializerMethodField()
    about = TextField()
    created_at = InstantField()
    updated_at = InstantField()

    @extend_schema_field(serializers.ListField(child=IdField()))
    def get_conversations(self, session):
        return [str(pk) for pk in self.context["conversations"][session.pk]]


class SessionInFull(SessionShown):
    messages = MessageShown(many=True)
    turns = TurnShown(many=True)
    proposals = serializers.ListField(child=IdField())


class SessionFilters(StrictFilterSet):
    agent = AgentFilter(field_name="agent")


def in_full(session):
    """The session with everything said in it, oldest first; four queries at most."""
    said = list(session.messages.order_by("turn__number", "created_at", "role"))
    turns = session.turns.order_by("number")
    return SessionShown(session, context={"conversations": sessions.members([session])}).data | {
        "messages": MessageShown(said, many=True).data,
        "turns": TurnShown(turns, many=True, context={"messages": said}).data,
        "proposals": [str(pk) for pk in session.proposals.order_by("created_at", "id").values_list("pk", flat=True)],
    }


def start_work(turn):
    """Tell a worker once the turn is stored. The row is what is owed: a message that is lost is found again by the clock."""
    work.start_soon(run_turn, str(turn.pk))


def find(member, session_id):
    """The session the member may see. Raises Http404."""
    rows = Session.objects.visible_to(member).select_related("agent", "conversation")
    return get_object_or_404(rows, pk=session_id)


class Sessions(ApiView):
    rights = {"GET": Right.COACH_AI, "POST": Right.COACH_AI}
    filterset_class = SessionFilters
    ordering = ("-created_at", "-id")
    queryset = Session.objects.none()

    @extend_schema(responses=SessionShown(many=True))
    def get(self, request):
        rows = self.filtered(Session.objects.visible_to(request.member).select_related("agent"))
        items = self.paginate_queryset(rows)
        shown = SessionShown(items, many=True, context={"conversations": sessions.members(items)})
        return self.get_paginated_response(shown.data)

    @extend_schema(request=SessionSent, responses={201: SessionInFull})
    def post(self, request):
        sent = self.read(SessionSent)
        wanted = [sent["conversation"]] if sent["conversation"] is not None else []
        rows = Conversation.objects.visible_to(request.member).in_bulk([*wanted, *sent["conversations"]])
        for field, ids in (("conversation", wanted), ("conversations", sent["conversations"])):
            if not rows.keys() >= set(ids):
                raise UnknownRow("There is no such conversation here.", field)
        session = sessions.start(
            sent["agent"],
            by=request.member,
            conversation=rows.get(sent["conversation"]),
            conversations=[rows[pk] for pk in sent["conversations"]],
        )
        return Response(in_full(session), status=status.HTTP_201_CREATED)


class OneSession(ApiView):
    @extend_schema(responses=SessionInFull)
    def get(self, request, session_id):
        return Response(in_full(find(request.member, session_id)))


class Messages(ApiView):
    """Ask the coach. The answer comes as events; 202 says that the question is stored."""

    @extend_schema(request=MessageSent, responses={202: TurnTaken})
    def post(self, request, session_id):
        session = find(request.member, session_id)
        sent = self.read(MessageSent)
        focus = (sent.get("focus") or {}).get("turns", ())
        with transaction.atomic():
            turn = sessions.ask(session, by=request.member, text=sent["text"], focus=focus)
            start_work(turn)
        return Response({"turn": TurnShown(turn).data}, status=status.HTTP_202_ACCEPTED)


class TurnAction(ApiView):
    def turn(self, session_id, turn_id):
        rows = Turn.objects.visible_to(self.member).select_related("session__agent", "session__conversation")
        return get_object_or_404(rows, pk=turn_id, session_id=session_id)


class RetryTurn(TurnAction):
    @extend_schema(request=NothingMore, responses={202: TurnTaken})
    def post(self, request, session_id, turn_id):
        turn = self.turn(session_id, turn_id)
        self.read(NothingMore)
        with transaction.atomic():
            again = sessions.retry(turn, by=request.member)
            start_work(again)
        return Response({"turn": TurnShown(again).data}, status=status.HTTP_202_ACCEPTED)


class StopTurn(TurnAction):
    @extend_schema(request=NothingMore, responses={202: TurnTaken})
    def post(self, request, session_id, turn_id):
        turn = self.turn(session_id, turn_id)
        self.read(NothingMore)
        turn = sessions.stop(turn, by=request.member)
        return Response({"turn": TurnShown(turn).data}, status=status.HTTP_202_ACCEPTED)


class EventShown(serializers.Serializer):
    """`text` events carry `text` (a delta), `tool` events `name` and `ok`, `proposal` events `proposal`, failures `error`."""

    id = WholeField()
    turn = IdField()
    type = ChoiceField(choices=TurnEvent.Type.choices)
    text = serializers.CharField(required=False)
    name = serializers.CharField(required=False)
    ok = serializers.BooleanField(required=False)
    proposal = IdField(required=False)
    error = serializers.CharField(required=False)


class EventsShown(serializers.Serializer):
    items = EventShown(many=True)


class EventStreamRenderer(JSONRenderer):
    """Chosen for `Accept: text/event-stream`, and where nothing is asked for; what it renders itself are refusals."""

    media_type, format = "text/event-stream", "sse"


class Events(ApiView):
    """What happens in a session, as server-sent events; with `Accept: application/json` what has happened since `after`.

    Each event is {id, turn, type, …}, the same in both. A stream begins behind the `Last-Event-ID` header, else behind
    `after`, else at the beginning; it ends after some minutes, and clients take it up where it ended.
    """

    renderer_classes = (EventStreamRenderer, JSONRenderer)
    parameters = {"GET": ("after",)}

    @extend_schema(responses={(200, "text/event-stream"): OpenApiTypes.STR, (200, "application/json"): EventsShown})
    def get(self, request, session_id):
        session = find(request.member, session_id)
        after = whole_parameter(request, "after") or 0
        if not isinstance(request.accepted_renderer, EventStreamRenderer):
            return Response({"items": streams.events_after(session.pk, after)})
        return streams.answer(request, session.pk, after)

    @streams.at_the_door()
    def dispatch(self, *args, **kwargs):
        return super().dispatch(*args, **kwargs)


urlpatterns = [
    path("coach/sessions", Sessions.as_view(), name="api-sessions"),
    path("coach/sessions/<uuid:session_id>", OneSession.as_view(), name="api-session"),
    path("coach/sessions/<uuid:session_id>/messages", Messages.as_view(), name="api-session-messages"),
    path("coach/sessions/<uuid:session_id>/events", Events.as_view(), name="api-session-events"),
    path("coach/sessions/<uuid:session_id>/turns/<uuid:turn_id>/retry", RetryTurn.as_view(), name="api-turn-retry"),
    path("coach/sessions/<uuid:session_id>/turns/<uuid:turn_id>/stop", StopTurn.as_view(), name="api-turn-stop"),
]
