"""What a workspace decides about its flags: whether they are raised by themselves, and how readily."""

from django.core.exceptions import ValidationError

from agents.access import Right, require
from agents.history import save_next
from agents.versions import Conflict
from coaching.models import FlagPolicy


def of(workspace) -> FlagPolicy:
    """The policy of the workspace; one of defaults, not stored, where nobody has chosen yet."""
    return FlagPolicy.objects.filter(workspace=workspace).first() or FlagPolicy(workspace=workspace)


def choose(workspace, *, by, sensitivity, automatic, base_version=None) -> FlagPolicy:
    """Decide how flags are raised from the next sweep on: a new version of the policy, with its author.

    Harmless where it is so already. Of two who choose at once the later one counts and both stand in the history; with
    `base_version`, what the choice was made against, the later one is refused. Raises NotAllowed, ValidationError, Conflict.
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
        if base_version is not None and policy.version != base_version:
            raise _conflict(policy, base_version, {"sensitivity": sensitivity, "automatic": automatic})
        if save_next(policy, by=by, sensitivity=sensitivity, automatic=automatic):
            return policy


def _conflict(policy, base_version, chosen):
    base = policy.history.filter(version=base_version).first()
    fields = [
        {"field": name, "base": getattr(base, name, None), "current": getattr(policy, name), "proposed": value}
        for name, value in chosen.items()
    ]
    return Conflict(base_version=base_version, current=policy, fields=fields)
