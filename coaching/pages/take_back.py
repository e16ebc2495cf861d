"""What taking a change back would do, read before anybody does it: its diff, who was first, and what has moved on since."""

from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse

from agents import versions
from agents.models import Configuration
from coaching.actions import changes
from coaching.actions.targets import MODELS
from coaching.pages.proposal import Pane, panes_of
from coaching.texts import diffs
from coaching.texts.merging import begin_fields, merge_fields

Change = Configuration.Change


@dataclass(frozen=True)
class TakingBack:
    """One applied change, seen from behind. `changes` is the diff of undoing it as it stands; where the target has moved on
    since, `panes` tell each field as it was before the change, as it is now and as it would be taken back.

    `undone_by` is the Configuration that took it back already. `start` is what an editor begins with: empty where there is
    nothing to type, because what is undone is that something came or went.
    """

    made: Configuration
    title: str
    changes: list[diffs.FieldDiff]
    undone_by: Configuration | None
    current_version: int | None
    panes: list[Pane] = field(default_factory=list)
    start: dict[str, Any] = field(default_factory=dict)
    touching: tuple[str, ...] = ()

    @property
    def kind(self):
        """How the diff is told (coaching/_diff.html): "new" where it comes back, "gone" where it goes."""
        if self.made.change == Change.REMOVED:
            return "new"
        return "gone" if self.made.change in (Change.CREATED, Change.RESTORED) else ""

    @property
    def came_with_its_agent(self):
        return changes.came_with_its_agent(self.made)

    @property
    def is_gone(self):
        """Whether somebody took it out since: there is nothing left to change."""
        return self.current_version is None and self.kind != "new"

    @property
    def is_there_again(self):
        """Whether a removal is undone already, by a restore."""
        return self.kind == "new" and self.current_version is not None

    @property
    def has_moved_on(self):
        return self.kind != "new" and self.current_version not in (None, self.made.target_version)

    @property
    def may_be_done(self):
        return not (self.undone_by or self.came_with_its_agent or self.is_gone or self.is_there_again)

    @property
    def address_of_undoing(self):
        """Where the version that took it back can be read."""
        return address(self.undone_by)

    @property
    def applies_again(self):
        """Whether the change itself took one back: undoing it applies that one again."""
        return self.made.reverts_id is not None


def load(made: Configuration) -> TakingBack:
    """Everything about taking `made` back, in ten queries at most."""
    model = MODELS[made.target_kind]
    before, after = changes.before_and_after(made)
    row = model.objects.filter(agent_id=made.agent_id, pk=made.target_id).first()
    undone_by = Configuration.objects.filter(reverts=made).select_related("by__user").first()
    panes: list[Pane] = []
    start: dict[str, Any] = {}
    touching: tuple[str, ...] = ()
    if before and after and row is not None and row.version != made.target_version and undone_by is None:
        now = versions.fields_of(row)
        panes = panes_of(after, now, before)
        start, touching = begin_fields(after, now, before), merge_fields(after, now, before).touching
    return TakingBack(
        made=made,
        title=changes.title_of(made),
        changes=diffs.fields(after, before),
        undone_by=undone_by,
        current_version=row.version if row is not None else None,
        panes=panes,
        start=start,
        touching=touching,
    )


def address(made: Configuration) -> str:
    """Where the version that `made` made can be read, beside the one before it."""
    if made.target_kind == "prompt":
        page = reverse("agent-prompt", args=[made.agent_id])
    else:
        page = reverse(made.target_kind, args=[made.agent_id, made.target_id])
    if made.change != Change.REVISED:
        return page
    return f"{page}?from={made.target_version - 1}&to={made.target_version}#compared"
