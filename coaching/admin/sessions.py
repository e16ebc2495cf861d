"""Talks with coaches in the back office: sessions, and their turns as owed work."""

from django.contrib import admin
from django.urls import reverse

from agents.back_office.owed import OwedBack, Owes
from agents.back_office.rows import ReadOnly, button
from coaching.actions import sessions
from coaching.admin.filters import AGENT
from coaching.models import Session, Turn


@admin.register(Session)
class SessionBack(ReadOnly):
    group = "Coaching"
    one, many = "Coach session", "Coach sessions"
    list_display = ("agent", "conversation", "started_by", "turns_asked", "created_at", "updated_at")
    list_filter = (AGENT, "created_at")
    list_select_related = ("agent", "conversation", "started_by__user")
    search_fields = ("agent__name", "^conversation__external_id")
    ordering = ("-updated_at", "pk")

    def view_on_site(self, obj):
        return reverse("coach-session", args=[obj.pk])


@admin.register(Turn)
class TurnBack(OwedBack):
    group = "Coaching"
    one, many = "Turn of the coach", "Turns of the coach"
    list_display = ("session", "number", "state", "asked_by", "created_at", "error", *OwedBack.owed_columns)
    list_filter = (Owes, "state", "created_at")
    list_select_related = ("session__agent", "asked_by__user")
    search_fields = ("session__agent__name", "error")
    ordering = ("-created_at", "pk")
    giving_up = "The question stays without an answer, and can be asked again."

    def end(self, row, *, by):
        sessions.give_up(row, by=by)

    def view_on_site(self, obj):
        return reverse("coach-session", args=[obj.session_id])

    def buttons_for(self, row):
        if row.state in Turn.UNFINISHED:
            return ("try_again", "stop") if row.state == Turn.State.QUEUED else ("stop",)
        can_be_asked = row.state != Turn.State.DONE and row.session.agent.coaching
        return ("ask_again",) if can_be_asked else ()

    @button("Stop", danger=True)
    def stop(self, request, row, words):
        sessions.stop(row, by=self.acting(request, row))
        return "Asked to stop."

    @button("Ask again")
    def ask_again(self, request, row, words):
        made = sessions.retry(row, by=self.acting(request, row))
        return f"Asked again as turn {made.number}. A worker takes it within seconds."
