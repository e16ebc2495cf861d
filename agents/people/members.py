"""What can be done to the people of a workspace and to their tokens. Every door calls these."""

import uuid

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents import history
from agents.access import NotAllowed, Refusal, Right, require
from agents.models import Agent, ApiToken, Member, User
from agents.people import accounts

ROW_IS_TAKEN = "This agent is somebody else's row already."


class NotAMember(Refusal):
    """The person is no member of the workspace any more, or is its owner, whose place only handing over moves."""


class AlreadyIssued(Refusal):
    """A token with this id was made before."""


def add_member(workspace, email, *, by, role=Member.Role.MEMBER, agent=None, password=None):
    """Give a person a place in the workspace; somebody who left comes back. Returns the Member.

    The user is made if new and then needs a `password`; one that exists keeps theirs. `by` is None for operators.
    Raises NotAllowed, ValidationError.
    """
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)
    with transaction.atomic():
        user = _user(email, password)
        member, is_new = join(workspace, user, by=by, role=role, agent=agent)
        if not is_new:
            raise ValidationError({"email": f"{user.email} is a member of this workspace already."})
    return member


def join(workspace, user, *, by, role, agent):
    """Make `user` a member, or bring back who left. Returns (Member, whether they were none until now).

    Who is a member already stays as they are. `by` is the leader who let them in, None for an operator; their right is asked for
    by whoever calls this. Raises ValidationError where the agent cannot be theirs or the workspace has its owner.
    """
    check_own_row(workspace, agent)
    theirs = Member.objects.filter(workspace=workspace, user=user)
    try:
        with transaction.atomic():
            member = theirs.first()
            if member is None:
                member = Member(workspace=workspace, user=user, role=role, agent=agent)
                member._history_user = by.user if by is not None else None
                member.clean_fields()
                member.save(force_insert=True)
                return member, True
            gone = Member.objects.filter(left_at__isnull=False)
            again = {"role": role, "agent": agent, "left_at": None, "joined_at": timezone.now()}
            return member, history.change(member, gone, by=by, **again)
    except IntegrityError as error:
        meanwhile = theirs.filter(left_at=None).first()
        if meanwhile is not None:
            return meanwhile, False
        if role == Member.Role.OWNER:
            raise ValidationError({"role": "This workspace has its owner already."}) from error
        raise ValidationError({"agent": ROW_IS_TAKEN}) from error


def check_own_row(workspace, agent) -> None:
    """Whether `agent` (None for none) may be somebody's own row in the workspace: a person's. Raises ValidationError."""
    if agent is not None and agent.workspace_id != workspace.pk:
        raise ValidationError({"agent": "This agent belongs to another workspace."})
    if agent is not None and agent.kind != Agent.Kind.HUMAN:
        raise ValidationError({"agent": f"{agent} is an AI agent, and nobody's own row."})


def change_role(member, *, by, role):
    """Make a member an admin or an admin a member. Raises NotAllowed, NotAMember, ValidationError."""
    require(by, Right.MANAGE_WORKSPACE)
    if role not in (Member.Role.ADMIN, Member.Role.MEMBER):
        raise ValidationError({"role": "Choose admin or member. Ownership is handed over by the owner."})
    _change(member, by, role=role)


def link(member, *, by, agent):
    """Say which agent is the member's own row; None for none. Raises NotAllowed, NotAMember, ValidationError."""
    require(by, Right.MANAGE_WORKSPACE)
    check_own_row(member.workspace, agent)
    try:
        _change(member, by, rows=Member.objects.filter(left_at=None), agent=agent)
    except IntegrityError as error:
        raise ValidationError({"agent": ROW_IS_TAKEN}) from error


def remove(member, *, by):
    """Take a person out of the workspace: what they wrote stays under their name, their tokens are dead from now on.

    Everybody but the owner may remove themselves. Raises NotAllowed, NotAMember.
    """
    if by.pk != member.pk:
        require(by, Right.MANAGE_WORKSPACE)
    with transaction.atomic():
        _change(member, by, may_self=True, left_at=timezone.now(), agent=None)
        member.tokens.filter(revoked_at=None).update(revoked_at=timezone.now(), revoked_by=by)


def hand_over(member, *, by):
    """Make `member` the owner; the owner until now, `by`, becomes an admin. Raises NotAllowed, NotAMember."""
    require(by, Right.HAND_OVER)
    if member.workspace_id != by.workspace_id:
        raise NotAMember("Only a member of this workspace can own it.")
    if member.pk == by.pk:
        raise NotAMember("You own this workspace already.")
    if not member.user.is_active:
        raise NotAMember(f"{member} cannot sign in: the account is switched off.")
    with transaction.atomic():
        roles = _hold(member, by)
        if roles.get(by.pk) != Member.Role.OWNER:
            raise NotAllowed("Only the owner of this workspace may hand it over.")
        if member.pk not in roles:
            raise NotAMember(f"{member} is no member of this workspace any more.")
        history.change(by, Member.objects.filter(role=Member.Role.OWNER), by=by, role=Member.Role.ADMIN)
        _change(member, by, role=Member.Role.OWNER)


def _change(member, by, *, rows=None, may_self=False, **values):
    """The next version of a member who has not left and is not the owner, unless `rows` says among which.

    Nothing is written where the values are theirs already. `by` must still be what they were: of two admins who remove each
    other at once, one is too late. With `may_self` it needs no leader to do it to oneself.
    """
    rows = Member.objects.filter(left_at=None).exclude(role=Member.Role.OWNER) if rows is None else rows
    rows = rows.filter(workspace_id=by.workspace_id)
    with transaction.atomic():
        roles = _hold(member, by)
        is_own = may_self and by.pk == member.pk
        if by.pk not in roles or (roles[by.pk] not in Member.LEADING and not is_own):
            raise NotAllowed("You may not do this any more: your own place here was changed meanwhile.")
        if rows.filter(pk=member.pk, **values).exists():
            return
        if not history.change(member, rows, by=by, **values):
            member.refresh_from_db()
            raise NotAMember(
                f"{member} owns this workspace. Hand it over first."
                if member.is_owner
                else f"{member} is no member of this workspace any more."
            )


def _hold(member, by) -> dict:
    """Keep both rows from changing until the transaction ends, always in one order: {id: role now} of those who have not left.

    SQLite knows no row locks and needs none: its transactions are immediate, so that one waits for the other.
    """
    held = Member.objects.select_for_update().filter(pk__in={member.pk, by.pk}).order_by("pk")
    return {row.pk: row.role for row in held if row.left_at is None}


def revoke_token(token, *, by):
    """End a token's use from this moment on. Harmless to repeat. Raises NotAllowed."""
    require(by, Right.MANAGE_WORKSPACE)
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now(), revoked_by=by)
    token.refresh_from_db()


def issue_token(member, *, name, scopes, expires_at=None, id=None):
    """A new API token that speaks for `member`. Returns its secret, which is shown once and kept nowhere.

    For operators and for the member themselves. With an `id` of the caller's choice, asking twice makes one. Raises
    ValidationError, AlreadyIssued.
    """
    unknown = sorted(set(scopes) - set(ApiToken.SCOPES))
    if unknown or not scopes:
        raise ValidationError(
            {"scopes": f"Scopes are {', '.join(ApiToken.SCOPES)}; not {', '.join(unknown) or 'none'}."}
        )
    secret = ApiToken.new_secret()
    token = ApiToken(
        id=id or uuid.uuid4(),
        workspace_id=member.workspace_id,
        member=member,
        name=name,
        hash=ApiToken.hashed(secret),
        scopes=[scope for scope in ApiToken.SCOPES if scope in scopes],
        expires_at=expires_at,
    )
    token.clean_fields()
    try:
        with transaction.atomic():
            token.save(force_insert=True)
    except IntegrityError as error:
        raise AlreadyIssued(
            "This token was made already. Its secret was shown then and is kept nowhere; make another."
        ) from error
    return secret


def _user(email, password):
    email = email.strip().lower()
    validate_email(email)
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        if password is None:
            raise ValidationError({"password": f"{email} is new here and needs a password to sign in with."})
        return accounts.create(email, password=password)
    if password is not None:
        raise ValidationError({"password": f"{email} has an account already, and keeps its password."})
    return user
