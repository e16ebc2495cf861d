"""What a workspace decides about its flags: whether they are raised by themselves, and how readily."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F

from agents.access import Right, require
from coaching.models import FlagPolicy


def of(workspace) -> FlagPolicy:
    """The policy of the workspace; one of defaults, not stored, where nobody has chosen yet."""
    return FlagPolicy.objects.filter(workspace=workspace).first() or FlagPolicy(workspace=workspace)


def choose(workspace, *, by, sensitivity, automatic) -> FlagPolicy:
    """Decide how flags are raised from the next sweep on: a new version of the policy, with its author.

    Harmless where it is so already. Of two who choose at once the later one counts and both stand in the history. Raises
    NotAllowed, ValidationError.
    """
    require(by, Right.MANAGE_WORKSPACE)
    if sensitivity not in FlagPolicy.Sensitivity.values:
        raise ValidationError(
            {"sensitivity": f"Unknown sensitivity. Known: {', '.join(FlagPolicy.Sensitivity.values)}."}
        )
    while True:
        policy = of(workspace)
        if (policy.sensitivity, policy.automatic) == (sensitivity, automatic):
            return policy
        policy.sensitivity, policy.automatic = sensitivity, automatic
        policy._history_user = by.user  # type: ignore[attr-defined]  # simple-history reads it
        if _stored(policy):
            return policy


def _stored(policy):
    """Keep the policy as the version after the one that was read. False where somebody was first."""
    try:
        with transaction.atomic():
            if policy.pk is not None:
                as_read = FlagPolicy.objects.filter(pk=policy.pk, version=policy.version)
                if not as_read.update(version=F("version") + 1):
                    return False
                policy.version += 1
            policy.save()
    except IntegrityError:
        if policy.pk is None and FlagPolicy.objects.filter(workspace=policy.workspace_id).exists():
            return False
        raise
    return True
