"""Flags, samples, notes, sessions and proposals in the back office. Buttons call the actions of every other door."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from agents.back_office.owed import OwedBack, Owes
from agents.back_office.rows import ReadOnly, button, led
from agents.back_office.versioned import VersionsShown, lines, readable
from agents.models import Door, Workspace
from coaching import admin_slack, admin_slack_work  # noqa: F401  # Django looks for lists in this module only
from coaching.actions import backtests, connections, flags, imports, notes, policies, proposals, samples, sessions
from coaching.models import (
    Backtest,
    CalendarFeed,
    ConfigurationImport,
    Flag,
    FlagPolicy,
    ModelConnection,
    ModelTest,
    Note,
    NoteEffect,
    Proposal,
    Reminder,
    Sample,
    Session,
    Sweep,
    Turn,
)
from coaching.pages import connections as connections_page
from coaching.pages import slack as slack_page
from coaching.texts.diffs import LABELS

TEAM = ("agent__team", admin.RelatedOnlyFieldListFilter)
AGENT = ("agent", admin.RelatedOnlyFieldListFilter)


def connections_shown(request):
    """Which model answers each workspace, which helpdesks are read, where it is in Slack, and when that last worked."""
    workspaces = Workspace.objects.all() if request.user.is_superuser else Workspace.objects.filter(pk__in=led(request))
    if not request.user.is_superuser and not led(request):
        raise PermissionDenied("The back office shows the rows of workspaces that you lead, and you lead none.")
    asked = request.GET.get("q", "").strip()[:200].replace("\0", "")
    workspaces = workspaces.filter(name__icontains=asked) if asked else workspaces
    found, more = connections_page.load(workspaces)
    helpdesks, more_helpdesks = connections_page.helpdesks(workspaces)
    slack, more_slack = slack_page.every(workspaces, most=connections_page.MOST)
    context = {"title": "Connections", "connections": found, "helpdesks": helpdesks, "slack": slack, "asked": asked}
    context["more"] = more or more_helpdesks or more_slack
    return TemplateResponse(request, "admin/connections.html", admin.site.each_context(request) | context)


admin.site.add_page("connections", connections_shown, label="Connections")  # type: ignore[attr-defined]  # config.apps makes it ours


@admin.register(Proposal)
class ProposalBack(ReadOnly):
    group = "To decide"
    list_display = ("title", "type", "agent", "status", "risk_level", "created_at", "decided_by")
    list_filter = ("status", "type", "risk_level", AGENT)
    list_select_related = ("agent", "decided_by__user")
    search_fields = ("title", "rationale", "agent__name")
    ordering = ("-created_at", "pk")
    words_label = "Note, or the reason of a rejection (the coach reads it)"
    fields = (
        "agent", "type", "status", "risk_level", "risk_reasons", "rationale", "what_changes", "base_version",
        "evidence_told", "proposed_by", "session", "replaces", "created_at", "decided_by", "decided_at", "decided_from",
        "decision_note", "result_version", "configuration_number",
    )  # fmt: skip

    def view_on_site(self, obj):
        return reverse("proposal", args=[obj.pk])

    @admin.display(description="What changes")
    def what_changes(self, row):
        after = dict.fromkeys(row.base, "") if row.type.endswith("_delete") else row.approved_change or row.change
        before, after = proposals.loaded(row.base), proposals.loaded(after)
        names = [*(name for name in LABELS if name in after), *sorted(after.keys() - LABELS.keys())]
        found = [(name, lines(readable(before.get(name)), readable(after[name]))) for name in names]
        drawn = ((LABELS.get(name, name), drawn_lines(diff)) for name, diff in found if diff)
        return format_html_join("", "<h3>{}</h3>{}", drawn)

    @admin.display(description="Evidence")
    def evidence_told(self, row):
        return format_html_join("", "<p>{}</p>", ((told(one),) for one in row.evidence))

    def buttons_for(self, row):
        if row.status == Proposal.Status.PENDING:
            return ("rebase" if proposals.is_stale(row) else "approve", "reject")
        return ("revert",) if row.status == Proposal.Status.APPROVED else ()

    @button("Approve", asks=True)
    def approve(self, request, row, words):
        proposals.approve(row, by=self.acting(request, row), door=Door.ADMIN, note=words)
        return f"Approved and applied as version {row.result_version}."

    @button("Bring up to date")
    def rebase(self, request, row, words):
        made = proposals.rebase(row, by=self.acting(request, row), door=Door.ADMIN)
        address = reverse("admin:coaching_proposal_change", args=[made.pk])
        return format_html('Written anew against version {}: <a href="{}">{}</a>', made.base_version, address, made)

    @button("Reject", asks=True, danger=True)
    def reject(self, request, row, words):
        proposals.reject(row, by=self.acting(request, row), door=Door.ADMIN, reason=words)
        return "Rejected. The coach reads the reason."

    @button("Take back", asks=True, danger=True)
    def revert(self, request, row, words):
        made = proposals.revert(row, by=self.acting(request, row), door=Door.ADMIN, note=words)
        return f"Taken back as version {made.target_version}."


def drawn_lines(diff):
    """Lines of a diff, each with its sign as well as its colour."""
    rows = format_html_join(
        "", '<li class="line {}"><span class="sign">{}</span>{}</li>', ((word, sign, line) for sign, word, line in diff)
    )
    return format_html('<ol class="diff">{}</ol>', rows)


def told(evidence):
    """One piece of evidence with the way to it: a quote of a turn, or the leader's own message."""
    if "conversation" not in evidence:
        return "The leader asked for it in so many words."
    address = reverse("conversation", args=[evidence["conversation"]])
    quote = f"“{evidence['quote']}”" if evidence.get("quote") else "A passage"
    return format_html('{} – <a href="{}">turn {} of the conversation</a>', quote, address, evidence["turn"])


@admin.register(Flag)
class FlagBack(ReadOnly):
    group = "To decide"
    list_display = ("agent", "kind", "status", "since", "opened_on", "closed_on", "cause")
    list_filter = ("status", "kind", "cause", TEAM)
    list_select_related = ("agent",)
    search_fields = ("agent__name", "reason", "close_reason")
    ordering = ("-opened_at", "pk")
    words_label = "Reason"
    fields = (
        "agent", "kind", "status", "sentence", "since", "opened_on", "opened_at", "opened_by", "reason", "cause", "evidence",
        "coached_at", "coached_by", "closed_at", "closed_by", "close_reason", "close_evidence",
    )  # fmt: skip

    @admin.display(description="What it says")
    def sentence(self, row):
        return flags.sentence(row)

    def view_on_site(self, obj):
        return reverse("flag", args=[obj.pk])

    def buttons_for(self, row):
        if row.status == Flag.Status.OPEN:
            return ("dismiss",)
        return ("reopen",) if row.status == Flag.Status.DISMISSED else ()

    @button("Reopen")
    def reopen(self, request, row, words):
        flags.reopen(row, by=self.acting(request, row))
        return "Reopened. It stands as it stood."

    @button("Dismiss", asks=True, danger=True)
    def dismiss(self, request, row, words):
        flags.dismiss(row, by=self.acting(request, row), reason=words)
        return "Dismissed. The scan leaves this agent alone for a while."


@admin.register(Sweep)
class SweepBack(OwedBack):
    group = "Coaching"
    one, many = "Flag sweep", "Flag sweeps"
    list_display = ("workspace", "swept_on", *OwedBack.owed_columns)
    list_filter = (Owes,)
    list_select_related = ("workspace",)
    search_fields = ("workspace__name",)
    ordering = ("workspace__name",)
    giving_up = "Flags stay as they are until the next look, tonight or soon after new ratings."


@admin.register(FlagPolicy)
class FlagPolicyBack(VersionsShown):
    group = "Coaching"
    one, many = "Flag policy", "Flag policies"
    list_display = ("workspace", "sensitivity", "automatic", "version")
    list_filter = ("sensitivity", "automatic")
    list_select_related = ("workspace",)
    search_fields = ("workspace__name",)
    ordering = ("workspace__name", "pk")
    fields = ("workspace", "sensitivity", "automatic", "version")
    readonly_fields = ("version",)
    version_fields = ("sensitivity", "automatic")

    def save_model(self, request, obj, form, change):
        by, chosen = self.acting(request, obj), {"sensitivity": obj.sensitivity, "automatic": obj.automatic}
        made = policies.choose(obj.workspace, by=by, **chosen)
        obj.pk, obj._state.adding = made.pk, False

    def view_on_site(self, obj):
        return reverse("settings-flag-policy")


@admin.register(Backtest)
class BacktestBack(OwedBack):
    group = "Coaching"
    list_display = ("workspace", "state", "per_cent", "asked_by", "asked_at", "finished_at", *OwedBack.owed_columns)
    list_filter = (Owes, "state", "asked_at")
    list_select_related = ("workspace", "asked_by__user")
    search_fields = ("workspace__name", "asked_by__user__name", "asked_by__user__email")
    ordering = ("-asked_at", "pk")
    never_shown = (*OwedBack.never_shown, "result")
    giving_up = "The replay is stopped. What an earlier one found stays; anybody can ask for a new one."

    def get_queryset(self, request):
        return super().get_queryset(request).defer("result")  # up to a megabyte each

    @admin.display(description="Progress", ordering="progress")
    def per_cent(self, row):
        return f"{row.progress} %"

    @admin.display(description="Flags: early, balanced, cautious")
    def flags_found(self, row):
        return ", ".join(str(len(level["flags"])) for level in row.result.get("levels", {}).values()) or "–"

    def get_fields(self, request, obj=None):
        return [*super().get_fields(request, obj), *(["flags_found"] if obj and obj.result else [])]

    def view_on_site(self, obj):
        return reverse("settings-flag-policy") + "#backtest"

    def buttons_for(self, row):
        if row.state in Backtest.UNFINISHED:
            return ("try_again", "stop") if row.state == Backtest.State.QUEUED else ("stop",)
        return ("ask_again",)

    def end(self, row, *, by):
        backtests.give_up(row, by=by)

    @button("Stop", danger=True)
    def stop(self, request, row, words):
        backtests.stop(row, by=self.acting(request, row))
        return "Stopped."

    @button("Try again")
    def ask_again(self, request, row, words):
        backtests.ask(row.workspace, by=self.acting(request, row))
        return "A new one is asked for. A worker takes it within seconds."


@admin.register(ConfigurationImport)
class ConfigurationImportBack(OwedBack):
    group = "Coaching"
    one, many = "Import of a configuration", "Imports of configurations"
    list_display = ("file_name", "agent", "state", "how", "uploaded_by", "uploaded_at", *OwedBack.owed_columns)
    list_filter = (Owes, "state", "how", AGENT)
    list_select_related = ("agent", "uploaded_by__user")
    search_fields = ("file_name", "agent__name", "uploaded_by__user__name", "uploaded_by__user__email")
    ordering = ("-uploaded_at", "pk")
    never_shown = (*OwedBack.never_shown, "steps")
    giving_up = "What was brought in so far stays; the import is marked as failed, and can be gone on with."

    def get_queryset(self, request):
        return super().get_queryset(request).defer("steps")  # up to the size of the file

    def view_on_site(self, obj):
        return reverse("import", args=[obj.agent_id, obj.pk])

    def buttons_for(self, row):
        if row.state == ConfigurationImport.State.PLANNED:
            return ("discard",)
        if row.state == ConfigurationImport.State.FAILED:
            return ("go_on",)
        return ("try_again", "give_up") if row.state == ConfigurationImport.State.QUEUED else ()

    def end(self, row, *, by):
        imports.give_up(row, by=by)

    @button("Discard", danger=True)
    def discard(self, request, row, words):
        imports.discard(row, by=self.acting(request, row))
        return "Discarded. Nothing of it was brought in."

    @button("Go on")
    def go_on(self, request, row, words):
        imports.go_on(row, by=self.acting(request, row))
        return "It goes on with the steps that are left."


@admin.register(ModelConnection)
class ModelConnectionBack(VersionsShown, ReadOnly):
    group = "Coaching"
    list_display = ("workspace", "model", "base_url", "effort", "version")
    list_filter = ("effort",)
    list_select_related = ("workspace",)
    search_fields = ("workspace__name", "model", "base_url")
    ordering = ("workspace__name", "pk")
    fields = ("workspace", "base_url", "model", "effort", "key_tail", "version")
    version_fields = ("base_url", "model", "effort", "key_tail")
    never_shown = ("key",)

    def get_queryset(self, request):
        return super().get_queryset(request).defer("key")

    def view_on_site(self, obj):
        return reverse("settings-model")

    def buttons_for(self, row):
        return ("test", "disconnect") if row.key_tail else ()

    @button("Test it")
    def test(self, request, row, words):
        connections.ask_for_test(row.workspace, by=self.acting(request, row))
        return "A test is asked for. A worker takes it within seconds."

    @button("Disconnect", danger=True)
    def disconnect(self, request, row, words):
        connections.disconnect(row.workspace, by=self.acting(request, row), version=row.version)
        return "Disconnected. The key is deleted here."


@admin.register(ModelTest)
class ModelTestBack(OwedBack):
    group = "Coaching"
    one, many = "Test of a model", "Tests of models"
    list_display = ("workspace", "asked_by", "asked_at", "finished_at", "came_to", *OwedBack.owed_columns)
    list_filter = (Owes, "asked_at")
    list_select_related = ("workspace", "asked_by__user")
    search_fields = ("workspace__name", "asked_by__user__name", "asked_by__user__email")
    ordering = ("-asked_at", "pk")
    never_shown = (*OwedBack.never_shown, "checks")
    giving_up = "The test ends without a result. The connection stays as it is, and can be tested again."

    @admin.display(description="Came to")
    def came_to(self, row):
        if row.finished_at is None:
            return "–"
        return next((check["sentence"] for check in row.checks if check.get("state") == "failed"), "It works.")

    def get_fields(self, request, obj=None):
        return [*super().get_fields(request, obj), *(["came_to"] if obj and obj.finished_at else [])]

    def view_on_site(self, obj):
        return reverse("settings-model") + "#model-test"

    def buttons_for(self, row):
        return ("try_again", "give_up") if row.finished_at is None else ("ask_again",)

    def end(self, row, *, by):
        connections.give_up(row, by=by)

    @button("Test again")
    def ask_again(self, request, row, words):
        connections.ask_for_test(row.workspace, by=self.acting(request, row))
        return "A new one is asked for. A worker takes it within seconds."


@admin.register(Sample)
class SampleBack(OwedBack):
    group = "Coaching"
    list_display = ("conversation", "agent", "score", "summary_state", "created_at", *OwedBack.owed_columns)
    list_filter = (Owes, "summary_state", TEAM)
    list_select_related = ("conversation", "agent")
    search_fields = ("agent__name", "^conversation__external_id", "summary")
    ordering = ("-created_at", "pk")
    giving_up = "The sample stays without a summary, and says that it could not be read."

    def end(self, row, *, by):
        samples.give_up(row, by=by)

    def view_on_site(self, obj):
        return reverse("team-agent", args=[obj.agent_id])

    def buttons_for(self, row):
        if row.unpinned_at:
            return ()
        owed = row.next_try_at or row.summary_state == Sample.Summary.FAILED
        given_up = ("give_up",) if row.next_try_at else ()
        return ("try_again", *given_up, "unpin") if owed else ("unpin",)

    @button("Try again now")
    def try_again(self, request, row, words):
        """Also of one that was given up: its summary is pending again."""
        self.acting_on_work(request, row)
        samples.summarise_again(row)
        return "It is due now. A worker takes it within seconds."

    @button("Take out of the samples", danger=True)
    def unpin(self, request, row, words):
        samples.unpin(row, by=self.acting(request, row))
        return "Taken out."


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


@admin.register(Note)
class NoteBack(VersionsShown, ReadOnly):
    group = "Coaching"
    list_display = ("__str__", "agent", "author", "shared_with_agent", "follow_up_at", "created_at", "archived_at")
    list_filter = ("shared_with_agent", ("archived_at", admin.EmptyFieldListFilter), TEAM)
    list_select_related = ("agent", "author__user")
    search_fields = ("body", "agent__name")
    ordering = ("-created_at", "pk")
    version_fields = ("body", "shared_with_agent", "follow_up_at", "followed_up_at", "archived_at")

    def view_on_site(self, obj):
        return reverse("team-agent", args=[obj.agent_id])

    def buttons_for(self, row):
        return ("restore",) if row.archived_at else ("archive",)

    @button("Archive", danger=True)
    def archive(self, request, row, words):
        notes.archive(row, by=self.acting(request, row))
        return "Archived. Its history stays."

    @button("Restore")
    def restore(self, request, row, words):
        notes.restore(row, by=self.acting(request, row))
        return "Restored."


@admin.register(NoteEffect)
class NoteEffectBack(ReadOnly):
    group = "Coaching"
    one, many = "Effect of a note", "Effects of notes"
    list_display = ("note", "agent", "day", "workspace")
    list_filter = ("day", ("workspace", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("note__agent", "workspace")
    search_fields = ("note__agent__name", "note__body")
    ordering = ("-day", "-pk")

    @admin.display(description="Agent", ordering="note__agent__name")
    def agent(self, row):
        return row.note.agent


@admin.register(Reminder)
class ReminderBack(OwedBack):
    group = "Coaching"
    one, many = "Reminder by mail", "Reminders by mail"
    list_display = ("note", "follow_up_at", "sent_at", *OwedBack.owed_columns)
    list_filter = (Owes, "follow_up_at", ("sent_at", admin.EmptyFieldListFilter))
    list_select_related = ("note__agent", "note__author__user")
    search_fields = ("note__agent__name", "note__body")
    ordering = ("-follow_up_at", "-pk")
    giving_up = "The mail is not sent. The follow-up stands on the To do page all the same."


@admin.register(CalendarFeed)
class CalendarFeedBack(ReadOnly):
    """Who has renewed the address of their calendar, and when. What the address is made from is shown to nobody."""

    group = "Coaching"
    one, many = "Calendar address", "Calendar addresses"
    list_display = ("member", "renewed_at", "workspace")
    list_filter = ("renewed_at", ("workspace", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("member__user", "workspace")
    search_fields = ("member__user__name", "member__user__email")
    ordering = ("-renewed_at", "-pk")
    never_shown = ("number",)
