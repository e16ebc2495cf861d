"""States that are wrong cannot be stored: the database refuses each one, whoever asks."""

from datetime import date, timedelta

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import CheckConstraint, Q
from django.utils import timezone

from agents import decisions
from agents.models import (
    Agent,
    ApiToken,
    Configuration,
    Decision,
    ExternalId,
    IdempotentAnswer,
    Invitation,
    Member,
    PasswordReset,
    Procedure,
    Team,
    User,
)
from agents.tenancy import OURS, guarded_keys
from coaching.models import (
    Backtest,
    ConfigurationImport,
    Flag,
    FlagPolicy,
    Message,
    ModelConnection,
    ModelTest,
    Note,
    Proposal,
    Reminder,
    Sample,
    SessionConversation,
    SlackConnection,
    SlackPace,
    SlackPerson,
    SlackPolicy,
    SlackPost,
    SlackReceipt,
    SlackThread,
    SlackTrigger,
    Sweep,
    Turn,
    TurnEvent,
    Viewing,
)
from helpdesk.models import (
    ConnectionTest,
    DeepLink,
    HelpdeskAgent,
    HelpdeskConnection,
    HelpdeskSync,
    Rating,
    RatingDay,
    StoredTranscript,
    TimeZoneChange,
    WebhookReceipt,
)
from memories.models import KeptPair
from tests import factories, tampering

pytestmark = pytest.mark.django_db

NOW = timezone.now()
TODAY = date(2026, 3, 2)


class World:
    """One valid row of everything, in one workspace, and a person and an agent of another."""

    def __init__(self):
        self.workspace = factories.workspace()
        self.owner = factories.owner(self.workspace)
        self.agent = factories.ai_agent(self.workspace)
        self.human = factories.human(self.workspace, external_ids={"desk": "7"})
        self.memory = factories.memory(self.agent, self.owner)
        self.other_memory = factories.memory(self.agent, self.owner, summary="Parcels wait at the counter.")
        self.procedure = factories.procedure(self.agent, self.owner, name="Refund")
        self.conversation = factories.conversation(self.agent, external_id="known")
        self.rating = self.rate()
        self.session = factories.session(self.agent, self.owner)
        self.turn = Turn.objects.create(workspace=self.workspace, session=self.session, number=1)
        self.proposal = factories.proposal(self.agent, session=self.session, fingerprint="f")
        self.flag = self.raise_flag()
        self.sample = Sample.objects.create(workspace=self.workspace, agent=self.agent, conversation=self.conversation)
        self.elsewhere = factories.workspace()
        self.stranger = factories.owner(self.elsewhere)
        self.foreign_agent = factories.ai_agent(self.elsewhere)

    def rate(self, **fields):
        defaults = {
            "value": "good",
            "scale": "binary",
            "score_hundredths": 10_000,
            "rated_at": NOW,
            "agent": self.agent,
        }
        return Rating.objects.create(workspace=self.workspace, conversation=self.conversation, **defaults | fields)

    def raise_flag(self, **fields):
        defaults = {"agent": self.agent, "kind": "auto", "since": TODAY, "opened_on": TODAY}
        return Flag.objects.create(workspace=self.workspace, **defaults | fields)

    def note(self, **fields):
        defaults = {"workspace": self.workspace, "agent": self.agent, "author": self.owner, "body": "x"}
        return Note.objects.create(**defaults | fields)

    def remind(self, note, **fields):
        return Reminder.objects.create(workspace=self.workspace, note=note, follow_up_at=NOW, **fields)

    def slack(self, **fields):
        return factories.slack_connection(self.workspace, **{"team_id": "T1"} | fields)

    def of_slack(self, model, **fields):
        connection = SlackConnection.objects.filter(workspace=self.workspace).first() or self.slack()
        return model.objects.create(**{"workspace": self.workspace, "connection": connection} | fields)

    def trigger(self, **fields):
        return self.of_slack(SlackTrigger, **{"team_id": "T1", "channel_id": "C1", "agent": self.agent} | fields)

    def thread(self, **fields):
        trigger = SlackTrigger.objects.first() or self.trigger()
        told = {"trigger": trigger, "session": self.session, "channel_id": "C1", "thread_ts": "1.0"}
        return self.of_slack(SlackThread, **told | fields)

    def post(self, **fields):
        told = {"kind": "proposal", "proposal": self.proposal, "channel_id": "C1"}
        return self.of_slack(SlackPost, **told | fields)

    def answer(self, **fields):
        told = {"kind": "answer", "proposal": None, "turn": self.turn, "thread": self.thread(thread_ts="2.0")}
        return self.post(**told | fields)

    def invite(self, **fields):
        defaults = {"workspace": self.workspace, "email": "new@x.example", "expires_at": NOW}
        return Invitation.objects.create(**defaults | fields)

    def move_clock(self, **fields):
        defaults = {"workspace": self.workspace, "time_zone": "Europe/Berlin", "asked_by": self.owner}
        return TimeZoneChange.objects.create(**defaults | fields)

    def backtest(self, **fields):
        return Backtest.objects.create(**{"workspace": self.workspace, "asked_by": self.owner} | fields)

    def in_set(self, position, conversation=None):
        return SessionConversation.objects.create(
            workspace=self.workspace,
            session=self.session,
            conversation=conversation or self.conversation,
            position=position,
        )

    def connect(self, **fields):
        return ModelConnection.objects.create(workspace=self.workspace, **fields)

    def model_test(self, **fields):
        return ModelTest.objects.create(**{"workspace": self.workspace, "asked_by": self.owner} | fields)

    def helpdesk(self, **fields):
        defaults = {"workspace": self.workspace, "vendor": "zendesk", "source": "desk"}
        return HelpdeskConnection.objects.create(**defaults | fields)

    def of_helpdesk(self, model, **fields):
        connection = HelpdeskConnection.objects.first() or self.helpdesk()
        return model.objects.create(**{"workspace": self.workspace, "connection": connection} | fields)

    def keep_pair(self, **fields):
        first, second = sorted([self.memory, self.other_memory], key=lambda each: each.pk)
        defaults = {"first": first, "first_version": 1, "second": second, "second_version": 1}
        return KeptPair.objects.create(workspace=self.workspace, kept_by=self.owner, **defaults | fields)

    def bring_in(self, **fields):
        defaults = {"workspace": self.workspace, "agent": self.agent, "uploaded_by": self.owner, "file_name": "a.zip"}
        return ConfigurationImport.objects.create(**defaults | fields)

    def turn_event(self, type, number):
        return TurnEvent.objects.create(
            workspace=self.workspace, session=self.session, turn=self.turn, number=number, type=type
        )

    def set(self, row, **fields):
        type(row).objects.filter(pk=row.pk).update(**fields)


WRONG = {
    "one_user_per_email": lambda w: User.objects.create(email=w.owner.user.email.upper()),
    "one_membership_per_user_and_workspace": lambda w: Member.objects.create(workspace=w.workspace, user=w.owner.user),
    "one_owner_per_workspace": lambda w: factories.owner(w.workspace),
    "member_role_is_known": lambda w: w.set(w.owner, role="king"),
    "owner_has_not_left": lambda w: w.set(w.owner, left_at=NOW),
    "team_name_once_per_workspace": lambda w: [Team.objects.create(workspace=w.workspace, name="A") for _ in "ab"],
    "agent_kind_is_known": lambda w: w.set(w.agent, kind="dog", coaching=False),
    "only_ai_agents_have_a_coach": lambda w: w.set(w.human, coaching=True),
    "agent_storage_mode_is_known": lambda w: w.set(w.agent, storage_mode="all"),
    "agent_retention_is_1_to_3650_days": lambda w: w.set(w.agent, retention_days=0),
    "external_id_means_one_agent": lambda w: ExternalId.objects.create(
        workspace=w.workspace, agent=w.agent, source="desk", value="7"
    ),
    "one_external_id_per_agent_and_source": lambda w: ExternalId.objects.create(
        workspace=w.workspace, agent=w.human, source="desk", value="8"
    ),
    "procedure_name_once_per_agent": lambda w: factories.procedure(w.agent, w.owner, name="REFUND"),
    "procedure_name_once_per_agent, whatever the door": lambda w: Procedure.objects.create(
        workspace=w.workspace, agent=w.agent, name="refund", content="x"
    ),
    "configuration_number_once_per_agent": lambda w: Configuration.objects.filter(agent=w.agent).update(number=1),
    "each_version_in_one_configuration": lambda w: Configuration.objects.filter(agent=w.agent).update(
        target_kind="memory", target_id=w.memory.pk, target_version=9
    ),
    "decision_number_once_per_workspace": lambda w: [
        tampering.edit(decision, "number", 1) for decision in w.workspace.decisions.all()
    ],
    "memory_has_a_summary": lambda w: w.set(w.memory, summary=""),
    "memory_versions_count_from_1": lambda w: w.set(w.memory, version=0),
    "memory_version_once": lambda w: _copy_history(w.memory),
    "procedure_version_once": lambda w: _copy_history(w.procedure),
    "prompt_version_once": lambda w: _copy_history(w.agent.prompt),
    "note_version_once": lambda w: _copy_history(w.note()),
    "idempotency_key_once_per_member": lambda w: [
        IdempotentAnswer.objects.create(workspace=w.workspace, member=w.owner, key="k", request_hash="h") for _ in "ab"
    ],
    "one_deep_link_per_source": lambda w: [
        DeepLink.objects.create(workspace=w.workspace, source="desk", conversation_pattern="https://x/{id}")
        for _ in "ab"
    ],
    "one_question_and_one_answer_per_turn": lambda w: [_message(w) for _ in "ab"],
    "message_role_is_known": lambda w: _message(w, role="ghost"),
    "conversation_once_per_source": lambda w: factories.conversation(w.agent, external_id="known"),
    "conversation_has_an_external_id": lambda w: factories.conversation(w.agent, external_id=""),
    "conversation_status_is_known": lambda w: w.set(w.conversation, status="lost"),
    "conversation_closes_after_it_opens": lambda w: w.set(w.conversation, closed_at=NOW - timedelta(days=9)),
    "one_rating_counts_per_conversation": lambda w: w.rate(),
    "rating_score_is_0_to_100": lambda w: w.set(w.rating, score_hundredths=10_001),
    "withdrawn_rating_does_not_count": lambda w: w.set(w.rating, withdrawn_at=NOW),
    "rating_scale_is_known": lambda w: w.set(w.rating, scale="ten"),
    "one_row_per_agent_and_day": lambda w: [_day(w) for _ in "ab"],
    "daily_sum_is_possible_for_its_n": lambda w: _day(w, n=1, sum_hundredths=10_001),
    "one_open_flag_per_agent": lambda w: w.raise_flag(),
    "flag_closed_iff_not_open": lambda w: w.set(w.flag, status="cleared"),
    "flag_closed_iff_not_open, the other half": lambda w: w.set(w.flag, closed_at=NOW),
    "dismissed_flag_says_who_and_why": lambda w: w.set(w.flag, status="dismissed", closed_at=NOW, closed_on=TODAY),
    "manual_flag_says_who_and_why": lambda w: w.raise_flag(agent=w.human, kind="manual"),
    "automatic_flag_has_no_author": lambda w: w.set(w.flag, opened_by=w.owner),
    "flag_status_is_known": lambda w: w.set(w.flag, status="lost", closed_at=NOW, closed_on=TODAY),
    "flag_kind_is_known": lambda w: w.set(w.flag, kind="hunch"),
    "flag_coached_at_and_by_go_together": lambda w: w.set(w.flag, coached_at=NOW),
    "flag_version_once": lambda w: _copy_history(w.flag),
    "flagpolicy_version_once": lambda w: _copy_history(FlagPolicy.objects.create(workspace=w.workspace)),
    "sensitivity_is_known": lambda w: FlagPolicy.objects.create(workspace=w.workspace, sensitivity="nervous"),
    "one_backtest_at_a_time": lambda w: [w.backtest() for _ in "ab"],
    "backtest_finished_iff_not_unfinished": lambda w: w.backtest(state="done"),
    "backtest_finished_iff_not_unfinished, the other half": lambda w: w.backtest(finished_at=NOW),
    "backtest_progress_is_per_cent": lambda w: w.backtest(progress=101),
    "backtest_is_held_only_while_owed": lambda w: w.backtest(next_try_at=None, claimed_until=NOW),
    "a backtest asked for by another workspace's member": lambda w: w.backtest(asked_by=w.stranger),
    "flag_window_starts_before_it_opens": lambda w: w.set(w.flag, since=TODAY + timedelta(days=1)),
    "sample_once_per_agent_and_conversation": lambda w: Sample.objects.create(
        workspace=w.workspace, agent=w.agent, conversation=w.conversation
    ),
    "summary_only_when_captured": lambda w: w.set(w.sample, summary="Said no."),
    "captured_sample_has_a_summary": lambda w: w.set(w.sample, summary_state="captured"),
    "sample_score_is_0_to_100": lambda w: w.set(w.sample, score_hundredths=10_001),
    "sample_is_held_only_while_owed": lambda w: w.set(w.sample, next_try_at=None, claimed_until=NOW),
    "sweep_is_held_only_while_owed": lambda w: Sweep.objects.create(
        workspace=w.workspace, next_try_at=None, claimed_until=NOW
    ),
    "note_has_a_body": lambda w: w.note(body=""),
    "note_archived_at_and_by_go_together": lambda w: w.note(archived_at=NOW),
    "only_follow_ups_are_followed_up": lambda w: w.note(followed_up_at=NOW),
    "proposal_decided_iff_not_pending": lambda w: w.set(w.proposal, status="rejected"),
    "proposal_decided_iff_not_pending, half a decision": lambda w: w.set(w.proposal, decided_at=NOW),
    "proposal_has_a_result_iff_approved": lambda w: w.set(
        w.proposal, status="approved", decided_at=NOW, decided_by=w.owner, decided_from="page"
    ),
    "proposal_has_a_base_unless_it_creates": lambda w: w.set(w.proposal, base_version=1),
    "proposal_has_a_rationale": lambda w: w.set(w.proposal, rationale=""),
    "proposal_once_per_session": lambda w: Proposal.objects.create(
        workspace=w.workspace,
        agent=w.agent,
        type="memory_entry_create",
        rationale="x",
        session=w.session,
        fingerprint="f",
    ),
    "session_is_about_one_conversation_or_a_set": lambda w: w.set(
        w.session, conversation=w.conversation, about="The worst of May"
    ),
    "conversation_once_in_a_set": lambda w: [w.in_set(position) for position in (0, 1)],
    "position_once_in_a_set": lambda w: [w.in_set(0), w.in_set(0, factories.conversation(w.agent))],
    "only_a_question_is_suggested": lambda w: _message(w, role="coach", suggested=True),
    "effort_is_known": lambda w: w.connect(effort="heroic"),
    "key_and_its_tail_go_together": lambda w: w.connect(key="secret"),
    "key_and_its_tail_go_together, the other half": lambda w: w.connect(key_tail="cret"),
    "modelconnection_version_once": lambda w: _copy_history(w.connect()),
    "one_model_test_at_a_time": lambda w: [w.model_test() for _ in "ab"],
    "finished_model_test_owes_nothing": lambda w: w.model_test(finished_at=NOW),
    "model_test_is_held_only_while_owed": lambda w: w.model_test(next_try_at=None, claimed_until=NOW),
    "a set with another workspace's conversation": lambda w: w.in_set(0, factories.conversation(w.foreign_agent)),
    "turn_number_once_per_session": lambda w: Turn.objects.create(workspace=w.workspace, session=w.session, number=1),
    "one_running_turn_per_session": lambda w: [
        Turn.objects.create(workspace=w.workspace, session=w.session, number=n, state="running") for n in (2, 3)
    ],
    "turn_ended_iff_finished": lambda w: w.set(w.turn, state="done", next_try_at=None),
    "failed_turn_says_why": lambda w: w.set(w.turn, state="failed", ended_at=NOW, next_try_at=None),
    "finished_turn_owes_nothing": lambda w: w.set(w.turn, state="done", ended_at=NOW),
    "turn_is_held_only_while_owed": lambda w: w.set(w.turn, next_try_at=None, claimed_until=NOW),
    "event_number_once_per_session": lambda w: [w.turn_event("text", 1) for _ in "ab"],
    "one_closing_event_per_turn": lambda w: [w.turn_event(t, n) for n, t in enumerate(("done", "failed"), 1)],
    "memory_is_checked_by_somebody": lambda w: w.set(w.memory, checked_at=NOW),
    "pair_is_kept_once": lambda w: [w.keep_pair() for _ in "ab"],
    "kept_pair_is_of_two_in_order": lambda w: w.keep_pair(first=w.memory, second=w.memory),
    "one_viewing_per_proposal_and_member": lambda w: [
        Viewing.objects.create(workspace=w.workspace, proposal=w.proposal, member=w.owner) for _ in "ab"
    ],
    "import_finished_iff_not_unfinished": lambda w: w.bring_in(state="done", how="direct"),
    "import_finished_iff_not_unfinished, the other half": lambda w: w.bring_in(finished_at=NOW),
    "import_is_carried_out_in_a_way": lambda w: w.bring_in(state="queued"),
    "import_plan_owes_nothing": lambda w: w.bring_in(next_try_at=NOW),
    "import_is_held_only_while_owed": lambda w: w.bring_in(claimed_until=NOW),
    "note_acknowledged_at_and_by_go_together": lambda w: w.note(acknowledged_at=NOW),
    "one_reminder_per_follow_up": lambda w: [w.remind(note) for note in [w.note()] for _ in "ab"],
    "reminder_is_held_only_while_owed": lambda w: w.remind(w.note(), next_try_at=None, claimed_until=NOW),
    "workspace_version_once": lambda w: _copy_history(w.workspace),
    "member_version_once": lambda w: _copy_history(w.owner),
    "deeplink_version_once": lambda w: _copy_history(
        DeepLink.objects.create(workspace=w.workspace, source="desk", conversation_pattern="https://x/{id}")
    ),
    "one_waiting_invitation_per_email": lambda w: [w.invite(email=email) for email in ("a@x.example", "A@x.example")],
    "invited_role_is_known": lambda w: w.invite(role="king"),
    "invitation_is_accepted_by_somebody_or_revoked_or_neither": lambda w: w.invite(accepted_at=NOW),
    "invitation_is_accepted_by_somebody_or_revoked_or_neither, both": lambda w: w.invite(
        accepted_at=NOW, accepted_as=w.owner, revoked_at=NOW
    ),
    "only_revoked_invitations_say_who_did": lambda w: w.invite(revoked_by=w.owner),
    "invitation_is_held_only_while_owed": lambda w: w.invite(next_try_at=None, claimed_until=NOW),
    "only_revoked_tokens_say_who_did": lambda w: ApiToken.objects.create(
        workspace=w.workspace, member=w.owner, name="x", hash="h", revoked_by=w.owner
    ),
    "one_owed_password_reset_per_user": lambda w: [PasswordReset.objects.create(user=w.owner.user) for _ in "ab"],
    "password_reset_is_held_only_while_owed": lambda w: PasswordReset.objects.create(
        user=w.owner.user, next_try_at=None, claimed_until=NOW
    ),
    "one_time_zone_change_at_a_time": lambda w: [w.move_clock() for _ in "ab"],
    "done_time_zone_change_owes_nothing": lambda w: w.move_clock(done_at=NOW),
    "time_zone_change_is_held_only_while_owed": lambda w: w.move_clock(next_try_at=None, claimed_until=NOW),
    "one_helpdesk_connection_per_source": lambda w: [w.helpdesk() for _ in "ab"],
    "helpdesk_vendor_is_known": lambda w: w.helpdesk(vendor="abacus"),
    "helpdesk_connection_state_is_known": lambda w: w.helpdesk(state="lost"),
    "disconnected_helpdesk_has_no_secrets": lambda w: w.helpdesk(state="disconnected", secrets="{}"),
    "helpdesk_backfill_is_0_to_3650_days": lambda w: w.helpdesk(backfill_days=3651),
    "helpdeskconnection_version_once": lambda w: _copy_history(w.helpdesk()),
    "one_sync_of_a_kind_per_connection": lambda w: [w.of_helpdesk(HelpdeskSync, kind="recent") for _ in "ab"],
    "helpdesk_sync_kind_is_known": lambda w: w.of_helpdesk(HelpdeskSync, kind="hunch"),
    "helpdesk_sync_is_held_only_while_owed": lambda w: w.of_helpdesk(
        HelpdeskSync, kind="recent", next_try_at=None, claimed_until=NOW
    ),
    "one_connection_test_at_a_time": lambda w: [w.of_helpdesk(ConnectionTest) for _ in "ab"],
    "finished_connection_test_owes_nothing": lambda w: w.of_helpdesk(ConnectionTest, finished_at=NOW),
    "connection_test_is_held_only_while_owed": lambda w: w.of_helpdesk(
        ConnectionTest, next_try_at=None, claimed_until=NOW
    ),
    "helpdesk_agent_once_per_connection": lambda w: [w.of_helpdesk(HelpdeskAgent, external_id="1") for _ in "ab"],
    "helpdesk_agent_mapping_is_known": lambda w: w.of_helpdesk(HelpdeskAgent, external_id="1", mapping="guess"),
    "helpdesk_agent_is_held_only_while_owed": lambda w: w.of_helpdesk(
        HelpdeskAgent, external_id="1", claimed_until=NOW
    ),
    "webhook_event_is_received_once": lambda w: [w.of_helpdesk(WebhookReceipt, event_id="1") for _ in "ab"],
    "done_webhook_receipt_keeps_no_items": lambda w: w.of_helpdesk(
        WebhookReceipt, event_id="1", items=[], done_at=NOW, next_try_at=None
    ),
    "done_webhook_receipt_owes_nothing": lambda w: w.of_helpdesk(WebhookReceipt, event_id="1", done_at=NOW),
    "webhook_receipt_is_held_only_while_owed": lambda w: w.of_helpdesk(
        WebhookReceipt, event_id="1", next_try_at=None, claimed_until=NOW
    ),
    "somebody at a helpdesk who is another workspace's agent": lambda w: w.of_helpdesk(
        HelpdeskAgent, external_id="1", agent=w.foreign_agent
    ),
    "a sync of another workspace": lambda w: w.of_helpdesk(HelpdeskSync, kind="recent", workspace=w.elsewhere),
    "slackconnection_version_once": lambda w: _copy_history(w.slack()),
    "slacktrigger_version_once": lambda w: _copy_history(w.trigger()),
    "slackpolicy_version_once": lambda w: _copy_history(SlackPolicy.objects.create(workspace=w.workspace)),
    "one_slack_connection_per_team": lambda w: [w.slack() for _ in "ab"],
    "slack_mode_is_known": lambda w: w.slack(mode="borrowed"),
    "slack_connection_state_is_known": lambda w: w.slack(state="lost"),
    "disconnected_slack_has_no_secrets": lambda w: w.slack(state="disconnected"),
    "slack_flags_channel_has_a_connection": lambda w: SlackPolicy.objects.create(
        workspace=w.workspace, flags_channel_id="C1"
    ),
    "one_coach_per_slack_channel": lambda w: [w.trigger() for _ in "ab"],
    "slack_trigger_state_is_known": lambda w: w.trigger(state="asleep"),
    "slack_person_once_per_connection": lambda w: [w.of_slack(SlackPerson, user_id="U1") for _ in "ab"],
    "slack_problem_is_known": lambda w: w.of_slack(SlackPerson, user_id="U1", problem="odd"),
    "slack_member_has_no_problem": lambda w: w.of_slack(SlackPerson, user_id="U1", member=w.owner, problem="stranger"),
    "one_session_per_slack_thread": lambda w: [w.thread() for _ in "ab"],
    "slack_receipt_once_per_connection": lambda w: [w.of_slack(SlackReceipt, kind="event", key="1") for _ in "ab"],
    "slack_receipt_kind_is_known": lambda w: w.of_slack(SlackReceipt, kind="rumour", key="1"),
    "done_slack_receipt_keeps_no_payload": lambda w: w.of_slack(
        SlackReceipt, kind="event", key="1", payload={}, done_at=NOW, next_try_at=None
    ),
    "done_slack_receipt_owes_nothing": lambda w: w.of_slack(SlackReceipt, kind="event", key="1", done_at=NOW),
    "slack_receipt_is_held_only_while_owed": lambda w: w.of_slack(
        SlackReceipt, kind="event", key="1", next_try_at=None, claimed_until=NOW
    ),
    "slack_post_shows_one_thing": lambda w: w.post(flag=w.flag),
    "only_a_slack_answer_was_asked_for": lambda w: w.post(asked_ts="1.0"),
    "slack_post_has_a_channel_or_a_webhook": lambda w: w.post(channel_id=""),
    "slack_post_state_is_known": lambda w: w.post(state="read"),
    "lost_slack_post_says_why_and_owes_nothing": lambda w: w.post(state="lost", next_try_at=None),
    "a_slack_message_is_asked_once": lambda w: _asked_twice(w),
    "proposal_once_per_slack_channel": lambda w: [w.post() for _ in "ab"],
    "flag_once_per_slack_channel": lambda w: [w.post(kind="flag", proposal=None, flag=w.flag) for _ in "ab"],
    "slack_post_is_held_only_while_owed": lambda w: w.post(next_try_at=None, claimed_until=NOW),
    "one_slack_pace_per_channel": lambda w: [w.of_slack(SlackPace, method="chat.update") for _ in "ab"],
    "a Slack channel with another workspace's agent": lambda w: w.trigger(agent=w.foreign_agent),
    "somebody in Slack who is another workspace's member": lambda w: w.of_slack(
        SlackPerson, user_id="U1", member=w.stranger
    ),
    "a Slack post of another workspace": lambda w: w.post(workspace=w.elsewhere),
    "an invitation to another workspace's agent": lambda w: w.invite(agent=w.foreign_agent),
    "a note on another workspace's agent": lambda w: w.note(agent=w.foreign_agent),
    "a note by another workspace's member": lambda w: w.note(author=w.stranger),
    "a member linked to another workspace's agent": lambda w: w.set(w.owner, agent=w.foreign_agent),
    "a rating of another workspace's agent": lambda w: w.set(w.rating, agent=w.foreign_agent),
    "a flag moved to another workspace": lambda w: w.set(w.flag, workspace=w.elsewhere),
    "a decision by another workspace's member": lambda w: w.set(w.proposal, decided_by=w.stranger),
    "a transcript of another workspace": lambda w: StoredTranscript.objects.create(
        workspace=w.elsewhere, conversation=w.conversation, turns=[], masked=True, delete_at=NOW
    ),
}


def _message(world, role="user", **fields):
    return Message.objects.create(
        workspace=world.workspace, session=world.session, turn=world.turn, role=role, text="x", **fields
    )


def _asked_twice(world):
    answer = world.answer(asked_ts="3.0")
    again = Turn.objects.create(workspace=world.workspace, session=world.session, number=2)
    world.answer(thread=answer.thread, turn=again, asked_ts="3.0")


def _copy_history(versioned):
    row = versioned.history.get()
    row.history_id = None
    row.save(force_insert=True)


def _day(world, **fields):
    defaults = {
        "workspace": world.workspace,
        "agent": world.agent,
        "day": TODAY,
        "n": 1,
        "sum_hundredths": 1,
        "sum_squares": 1,
    }
    return RatingDay.objects.create(**defaults | fields)


@pytest.mark.parametrize("state", WRONG)
def test_wrong_state_cannot_be_stored(state):
    world = World()

    with pytest.raises((IntegrityError, ValidationError)), transaction.atomic():
        WRONG[state](world)


def test_every_constraint_of_ours_has_a_state_that_tries():
    named = {
        constraint.name
        for label in OURS
        for model in apps.get_app_config(label).get_models()
        for constraint in model._meta.constraints
    }
    tried = {state.split(",")[0] for state in WRONG}

    assert named - tried == set()


# What no rule of the product asks for a second time: it is shown, or counted by, as an action wrote it.
ONLY_TOLD = {
    "Configuration.change", "Configuration.door", "Configuration.target_kind", "Decision.action", "Decision.door", "Flag.cause",
    "Memory.source", "Proposal.risk_level", "Rating.credit", "Sample.scale", "TurnEvent.type",
}  # fmt: skip


def test_every_choice_is_held_by_the_database_or_only_told():
    """A new column with choices has a constraint that says them, and so a state that tries, or a line above."""
    unheld = {
        f"{model.__name__}.{field.name}"
        for label in OURS
        for model in apps.get_app_config(label).get_models()
        if not hasattr(model, "instance_type")  # a version is a copy of a row that was held
        for field in model._meta.concrete_fields
        if field.choices and not any(field.name in asked_by(constraint) for constraint in model._meta.constraints)
    }

    assert unheld == ONLY_TOLD


def asked_by(constraint):
    """The columns that a check looks at; none of a constraint of another kind."""
    if not isinstance(constraint, CheckConstraint):
        return set()
    waiting, found = [constraint.condition], set()
    while waiting:
        for part in waiting.pop().children:
            if isinstance(part, Q):
                waiting.append(part)
            elif isinstance(part, tuple):
                found.add(part[0].partition("__")[0])
    return found


def test_every_pointer_between_workspaces_has_its_guard():
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
        triggers = {row[0] for row in cursor.fetchall()}

    pointers = list(guarded_keys())

    assert len(pointers) > 40
    for model, field in pointers:
        assert any(t.startswith(f"{model._meta.db_table}_{field.column}") for t in triggers), (model, field)


def test_every_model_belongs_to_a_workspace_or_says_why_not():
    free = {
        model.__name__
        for label in OURS
        for model in apps.get_app_config(label).get_models()
        if not any(f.name == "workspace" for f in model._meta.concrete_fields)
    }

    # A login, and what hangs on it, is good for every workspace that its person belongs to.
    of_logins = {"BrowserSession", "PasswordReset", "SignInTries", "User"}
    assert free == of_logins | {"Workspace", "HistoricalWorkspace"}


def test_decision_log_is_append_only_and_names_the_row_that_was_tampered_with(workspace, owner, agent):
    memory = factories.memory(agent, owner)
    factories.memory(agent, owner, summary="Another fact.")
    first = workspace.decisions.get(target_id=memory.pk)

    with pytest.raises(TypeError, match="append-only"):
        first.save()
    with pytest.raises(TypeError, match="append-only"):
        first.delete()
    rows = Decision.objects.filter(pk=first.pk)
    for change in (lambda: rows.update(title="x"), rows.delete, lambda: rows.bulk_update([first], ["title"])):
        with pytest.raises(TypeError, match="append-only"):
            change()
    with pytest.raises(TypeError, match="one by one"):
        Decision.objects.bulk_create([Decision(workspace=workspace, number=9)])
    tampering.edit(first, "title", "Something else")

    assert list(decisions.verify(workspace)) == ["Entry 1 was changed after it was written."]


def test_decision_log_misses_a_removed_row(workspace, owner, agent):
    for number in range(3):
        factories.memory(agent, owner, summary=f"Fact {number}.")
    tampering.remove(workspace.decisions.get(number=2))

    assert list(decisions.verify(workspace)) == [
        "Entry 2 is missing.",
        f"Configuration 3 of {agent} has no entry.",
    ]


def test_agents_of_two_workspaces_do_not_meet(workspace, stranger, agent, owner):
    assert list(Agent.objects.visible_to(stranger)) == []
    assert list(Agent.objects.visible_to(owner)) == [agent]
