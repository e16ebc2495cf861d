"""What Connections in the back office shows: the models and helpdesks of workspaces, when each last worked and last failed."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.db.models import Max, OuterRef, Subquery

from coaching import llm
from coaching.actions import connections
from coaching.models import ModelConnection, ModelTest, Turn
from helpdesk.models import HelpdeskConnection, HelpdeskSync, WebhookReceipt

MOST = 50  # workspaces, and helpdesks, on the page; the rest is found by the search


@dataclass(frozen=True)
class Connection:
    """One workspace's model. What failed and what succeeded is an answer of the coach or a test."""

    workspace: object
    model: str
    how: str
    succeeded_at: datetime | None
    succeeded_as: str
    failed_at: datetime | None
    failed_as: str
    why: str


def load(workspaces):
    """The connections of the first workspaces of a queryset, by name, and whether there are more. Two queries."""
    ended = Turn.objects.filter(workspace=OuterRef("pk"), ended_at__isnull=False).order_by("-ended_at")
    done, failed = ended.filter(state=Turn.State.DONE), ended.filter(state=Turn.State.FAILED)
    tested = ModelTest.objects.filter(workspace=OuterRef("pk"), finished_at__isnull=False).order_by("-finished_at")
    rows = list(
        workspaces.annotate(
            answered_at=Subquery(done.values("ended_at")[:1]),
            broke_at=Subquery(failed.values("ended_at")[:1]),
            broke_by=Subquery(failed.values("error")[:1]),
            tested_at=Subquery(tested.values("finished_at")[:1]),
            test_checks=Subquery(tested.values("checks")[:1]),
        ).order_by("name", "pk")[: MOST + 1]
    )
    # Not the key itself: whether there is one stands in its tail.
    known = ModelConnection.objects.filter(workspace__in=rows[:MOST]).defer("key")
    own = {one.workspace_id: one for one in known}
    return [_connection(row, own.get(row.pk)) for row in rows[:MOST]], len(rows) > MOST


def helpdesks(workspaces):
    """The connections to helpdesks of the workspaces of a queryset, by workspace and source, and whether there are more.

    Each with `read_at`, when its ratings were last read to the end, `broke_at` and `broke_by`, when and how a try last went
    wrong, and `heard_at`, when its last webhook came. One query.
    """
    broken = HelpdeskSync.objects.filter(connection=OuterRef("pk"), failed_at__isnull=False).order_by("-failed_at")
    heard = WebhookReceipt.objects.filter(connection=OuterRef("pk")).order_by("-received_at")
    rows = HelpdeskConnection.objects.filter(workspace__in=workspaces).select_related("workspace").defer("secrets")
    found = rows.annotate(
        read_at=Max("syncs__finished_at"),
        broke_at=Subquery(broken.values("failed_at")[:1]),
        broke_by=Subquery(broken.values("last_error")[:1]),
        heard_at=Subquery(heard.values("received_at")[:1]),
    )
    shown = list(found.order_by("workspace__name", "source", "pk")[: MOST + 1])
    return shown[:MOST], len(shown) > MOST


def _connection(row, own):
    model, how = _answers(own)
    fault = next((check["sentence"] for check in row.test_checks or () if check.get("state") == "failed"), "")
    worked = [(row.answered_at, "an answer of the coach")]
    broke = [(row.broke_at, "an answer of the coach", row.broke_by or "")]
    if row.tested_at and fault:
        broke.append((row.tested_at, "a test", fault))
    elif row.tested_at:
        worked.append((row.tested_at, "a test"))
    succeeded_at, succeeded_as = max((one for one in worked if one[0]), default=(None, ""))
    failed_at, failed_as, why = max((one for one in broke if one[0]), default=(None, "", ""))
    return Connection(row, model, how, succeeded_at, succeeded_as, failed_at, failed_as, why)


def _answers(own):
    """Which model answers, and whose connection that is."""
    if own is not None and own.key_tail:
        return own.model or llm.DEFAULT_MODEL, f"its own, at {urlsplit(own.base_url or llm.ANTHROPIC).netloc}"
    given = connections.from_environment()
    if given.is_practice:
        return "Practice model", "no model is connected"
    return given.model_name, "the connection of this server"
