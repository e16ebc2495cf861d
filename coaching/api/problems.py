"""What coaching refuses, as problem+json."""

from agents.api_base import Problem, epoch_ms, problem_of
from coaching.actions import changes, flags, notes, proposals, samples, sessions


@problem_of.register
def _(exc: proposals.AlreadyDecided):
    decided = exc.proposal
    by = decided.decided_by
    return Problem(
        409,
        str(exc),
        kind="already-decided",
        extra={
            "proposalStatus": decided.status,  # `status` is the number of the answer, as in every problem
            "decidedBy": by and {"id": str(by.pk), "name": by.display_name},
            "decidedAt": epoch_ms(decided.decided_at),
            "decidedFrom": decided.decided_from or None,
        },
    )


@problem_of.register
def _(exc: changes.AlreadyTakenBack):
    by = exc.made.by
    return Problem(
        409,
        str(exc),
        kind="already-taken-back",
        extra={
            "takenBackBy": by and {"id": str(by.pk), "name": by.display_name},
            "takenBackAt": epoch_ms(exc.made.created_at),
            "configurationVersion": exc.made.number,
        },
    )


@problem_of.register
def _(exc: changes.NothingToTakeBack):
    return Problem(409, str(exc), kind="nothing-to-take-back")


@problem_of.register
def _(exc: proposals.NothingToRebase):
    return Problem(409, str(exc), kind="nothing-to-rebase")


@problem_of.register
def _(exc: proposals.NotTogether):
    return Problem(409, str(exc), kind="not-together")


@problem_of.register
def _(exc: proposals.NotAPossibleTarget):
    return Problem(404, str(exc), errors={"target": [str(exc)]})


@problem_of.register(sessions.CoachOff)
def _(exc):
    return Problem(409, str(exc), kind="coach-off")


@problem_of.register(sessions.NotRunning)
@problem_of.register(sessions.StillRunning)
def _(exc):
    return Problem(409, str(exc), kind="turn-state")


@problem_of.register
def _(exc: notes.Archived):
    return Problem(409, str(exc), kind="archived")


@problem_of.register
def _(exc: samples.UnknownConversation):
    return Problem(404, str(exc), errors={"externalId": [str(exc)]})


@problem_of.register
def _(exc: flags.AlreadyFlagged):
    return Problem(409, str(exc), kind="already-flagged", extra={"flag": str(exc.flag.pk)})


@problem_of.register
def _(exc: flags.AlreadyClosed):
    return Problem(409, str(exc), kind="already-closed", extra={"flagStatus": exc.flag.status})


@problem_of.register
def _(exc: flags.NotDismissed):
    return Problem(409, str(exc), kind="not-dismissed")
