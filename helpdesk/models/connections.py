import json
import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents import work
from agents.access import Scoped
from agents.encryption import EncryptedTextField
from agents.history import VersionHistory
from agents.models import Agent, Member, Workspace


class HelpdeskConnectionQuerySet(Scoped):
    def active(self):
        return self.filter(state=HelpdeskConnection.State.ACTIVE)

    def connected(self):
        """All but those that were disconnected: they can be read again as soon as somebody resumes them."""
        return self.exclude(state=HelpdeskConnection.State.DISCONNECTED)


class HelpdeskConnection(models.Model):
    """One account at a helpdesk: where it is, what opens it, and whether it is read.

    `source` is how its conversations are named here, so two accounts of one vendor live side by side. What a vendor asks
    for stands in helpdesk.vendors: what is secret in `secrets`, the rest in `account`.
    """

    class Vendor(models.TextChoices):
        INTERCOM = "intercom", "Intercom"
        ZENDESK = "zendesk", "Zendesk"
        FRESHDESK = "freshdesk", "Freshdesk"
        HELPSCOUT = "helpscout", "Help Scout"
        GORGIAS = "gorgias", "Gorgias"
        CHATWOOT = "chatwoot", "Chatwoot"
        GENERIC = "generic", "In-house desk"

    class State(models.TextChoices):
        ACTIVE = "active", "active"
        PAUSED = "paused", "paused"
        REFUSED = "refused", "refused by the helpdesk"
        DISCONNECTED = "disconnected", "disconnected"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="helpdesk_connections")
    vendor = models.CharField(max_length=20, choices=Vendor)
    source = models.SlugField(max_length=50)
    base_url = models.CharField(max_length=500, blank=True, help_text="Empty: the vendor's own address.")
    account = models.JSONField(default=dict, blank=True, help_text='What is not secret, such as {"email": …}.')
    secrets = EncryptedTextField(blank=True, editable=False)
    backfill_days = models.PositiveIntegerField(default=180, help_text="How far back the first reading goes.")
    state = models.CharField(max_length=12, choices=State, default=State.ACTIVE)
    state_reason = models.CharField(max_length=500, blank=True, help_text="A sentence: why it is not active.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    history = VersionHistory(excluded_fields=["secrets"])
    objects = HelpdeskConnectionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "source"], name="one_helpdesk_connection_per_source"),
            models.CheckConstraint(
                condition=Q(
                    vendor__in=["intercom", "zendesk", "freshdesk", "helpscout", "gorgias", "chatwoot", "generic"]
                ),
                name="helpdesk_vendor_is_known",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["active", "paused", "refused", "disconnected"]),
                name="helpdesk_connection_state_is_known",
            ),
            models.CheckConstraint(
                condition=~Q(state="disconnected") | Q(secrets=""), name="disconnected_helpdesk_has_no_secrets"
            ),
            models.CheckConstraint(
                condition=Q(backfill_days__range=(0, 3650)), name="helpdesk_backfill_is_0_to_3650_days"
            ),
        ]

    def __str__(self):
        return f"{self.get_vendor_display()} ({self.source})"

    @property
    def is_active(self):
        return self.state == self.State.ACTIVE

    @property
    def credentials(self) -> dict[str, str]:
        """All that opens the account, {name: value}; secrets that no key opens any more are missing."""
        return {**self.account, **(json.loads(self.secrets) if self.secrets else {})}


class HelpdeskSyncQuerySet(Scoped, work.OwedQuerySet):
    def takeable(self):
        """Those of connections that are read at all, and that nobody reads just now: one worker at a time for each helpdesk.

        What a paused one owes waits for it.
        """
        at_work = HelpdeskSync.objects.at_work().values("connection")
        active = self.owed().filter(connection__state=HelpdeskConnection.State.ACTIVE)
        return active.exclude(connection__in=at_work)


class HelpdeskSync(work.Owed):
    """One way of reading a connection's ratings, and how far it has come. Each connection has one row of each kind.

    A run reads the ratings between `since` and `until`, page by page; `cursor` is where it goes on, in the vendor's own words.
    A page's ratings and the cursor behind them are stored together or not at all, so whoever takes over repeats nothing twice.
    """

    class Kind(models.TextChoices):
        BACKFILL = "backfill", "the first reading"
        RECENT = "recent", "what is new"
        RECONCILE = "reconcile", "what was missed"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    connection = models.ForeignKey(HelpdeskConnection, models.CASCADE, related_name="syncs")
    kind = models.CharField(max_length=9, choices=Kind)
    since = models.DateTimeField(null=True, editable=False)
    until = models.DateTimeField(null=True, editable=False)
    cursor = models.TextField(blank=True, editable=False)
    reached = models.DateTimeField(null=True, editable=False, help_text="The last rating of the run so far.")
    total = models.PositiveIntegerField(null=True, editable=False, help_text="Ratings in the run, where that is told.")
    n_pages = models.PositiveIntegerField(default=0, editable=False)
    n_read = models.PositiveIntegerField(default=0, editable=False)
    n_new = models.PositiveIntegerField(default=0, editable=False)
    n_refused = models.PositiveIntegerField(default=0, editable=False)
    refused = models.JSONField(default=list, editable=False, help_text='The first that were: [{"id", "detail"}].')
    started_at = models.DateTimeField(null=True, editable=False)
    finished_at = models.DateTimeField(null=True, editable=False, help_text="When a run last came to its end.")
    failed_at = models.DateTimeField(null=True, editable=False, help_text="When a try last broke off.")
    read_until = models.DateTimeField(
        null=True, editable=False, help_text="Ratings up to here are known, as of the last run that ended."
    )

    objects = HelpdeskSyncQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "kind"], name="one_sync_of_a_kind_per_connection"),
            models.CheckConstraint(
                condition=Q(kind__in=["backfill", "recent", "reconcile"]), name="helpdesk_sync_kind_is_known"
            ),
            work.owed_constraint("helpdesk_sync_is_held_only_while_owed"),
        ]
        indexes = [work.owed_index("helpdesk_sync_owed")]

    def __str__(self):
        return f"{self.connection}: {self.get_kind_display()}"

    @property
    def is_running(self):
        """Whether a run has begun that has not come to its end."""
        return self.next_try_at is not None and self.started_at is not None


class ConnectionTestQuerySet(Scoped, work.OwedQuerySet):
    def unfinished(self):
        return self.filter(finished_at=None)


class ConnectionTest(work.Owed):
    """A try of a connection, check by check. A worker does it, for it waits on somebody else's server."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    connection = models.ForeignKey(HelpdeskConnection, models.CASCADE, related_name="tests")
    asked_by = models.ForeignKey(Member, models.PROTECT, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)
    checks = models.JSONField(default=list, blank=True, help_text='[{"name", "state": ok | failed, "sentence"}]')

    objects = ConnectionTestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection"], condition=Q(finished_at=None), name="one_connection_test_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(finished_at=None) | Q(next_try_at=None), name="finished_connection_test_owes_nothing"
            ),
            work.owed_constraint("connection_test_is_held_only_while_owed"),
        ]
        indexes = [
            work.owed_index("connection_test_owed"),
            models.Index(fields=["connection", "-asked_at"], name="connection_test_newest"),
        ]

    def __str__(self):
        return f"Test of {self.connection}"


class HelpdeskAgentQuerySet(Scoped, work.OwedQuerySet):
    own = "agent_id"

    def unmapped(self):
        """Those who stand for nobody yet; of whom somebody said by hand that they are nobody here is settled."""
        return self.filter(HelpdeskAgent.UNMAPPED)


class HelpdeskAgent(work.Owed):
    """Somebody who answers customers as one helpdesk knows them, and whom that means here.

    Until they are mapped their ratings are kept without an agent. Mapping owes the crediting of those.
    """

    class Mapping(models.TextChoices):
        ID = "id", "by id"
        EMAIL = "email", "by email"
        PERSON = "person", "by hand"

    UNMAPPED = Q(agent=None) & ~Q(mapping=Mapping.PERSON)
    NOBODY = Q(agent=None, mapping=Mapping.PERSON)

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    connection = models.ForeignKey(HelpdeskConnection, models.CASCADE, related_name="helpdesk_agents")
    external_id = models.CharField(max_length=300)
    name = models.CharField(max_length=300, blank=True)
    email = models.CharField(max_length=254, blank=True)
    is_bot = models.BooleanField(default=False)
    is_gone = models.BooleanField(default=False, help_text="The helpdesk does not list them any more.")
    agent = models.ForeignKey(Agent, models.SET_NULL, null=True, blank=True, related_name="helpdesk_agents")
    mapping = models.CharField(max_length=6, choices=Mapping, blank=True)
    seen_at = models.DateTimeField(default=timezone.now, editable=False)
    next_try_at = models.DateTimeField(null=True, blank=True, default=None, editable=False)

    objects = HelpdeskAgentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "external_id"], name="helpdesk_agent_once_per_connection"),
            models.CheckConstraint(
                condition=Q(mapping__in=["", "id", "email", "person"]), name="helpdesk_agent_mapping_is_known"
            ),
            work.owed_constraint("helpdesk_agent_is_held_only_while_owed"),
        ]
        indexes = [work.owed_index("helpdesk_agent_owed")]

    def __str__(self):
        return self.name or self.email or f"Agent {self.external_id}"

    @property
    def is_unmapped(self):
        """Whether nobody has said yet whom they stand for."""
        return self.agent_id is None and not self.is_nobody

    @property
    def is_nobody(self):
        """Whether somebody said by hand that they stand for nobody here."""
        return self.agent_id is None and self.mapping == self.Mapping.PERSON


class WebhookReceiptQuerySet(Scoped, work.OwedQuerySet):
    def takeable(self):
        return self.owed().filter(connection__state=HelpdeskConnection.State.ACTIVE)


class WebhookReceipt(work.Owed):
    """A webhook that came in: which event, about which conversation. Its body is not kept.

    A webhook is a hint: what it is about is read anew, so neither order nor repetition matters. Only an in-house desk sends the
    ratings themselves; those rows are kept until they are taken in.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    connection = models.ForeignKey(HelpdeskConnection, models.CASCADE, related_name="receipts")
    event_id = models.CharField(max_length=300)
    event = models.CharField(max_length=100, blank=True)
    conversation_id = models.CharField(max_length=300, blank=True)
    rating_id = models.CharField(max_length=300, blank=True)
    items = models.JSONField(null=True, editable=False)
    received_at = models.DateTimeField(default=timezone.now, editable=False)
    done_at = models.DateTimeField(null=True, editable=False)
    outcome = models.CharField(max_length=200, blank=True, editable=False, help_text="What became of it, in words.")

    objects = WebhookReceiptQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "event_id"], name="webhook_event_is_received_once"),
            models.CheckConstraint(
                condition=Q(done_at=None) | Q(items=None), name="done_webhook_receipt_keeps_no_items"
            ),
            models.CheckConstraint(
                condition=Q(done_at=None) | Q(next_try_at=None), name="done_webhook_receipt_owes_nothing"
            ),
            work.owed_constraint("webhook_receipt_is_held_only_while_owed"),
        ]
        indexes = [
            work.owed_index("webhook_receipt_owed"),
            models.Index(fields=["connection", "-received_at"], name="webhook_receipt_newest"),
        ]

    def __str__(self):
        return f"{self.event or 'event'} {self.event_id}"
