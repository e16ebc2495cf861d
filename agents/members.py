"""What can be done to workspaces, the people in them and their tokens. Every door calls these."""

import uuid

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents import history
from agents.access import NotAllowed, Refusal, Right, require
from agents.models import ApiToken, Member, User, Workspace


class NotAMember(Refusal):
    """The person is no member of the workspace any more, or is its owner, whose place only handing over moves."""


class AlreadyIssued(Refusal):
    """A token with this id was made before."""


def create_workspace(slug, *, owner_email, name="", password=None):
    """A new workspace with its owner, who is made if new and then needs a password. Returns the owner's Member.

    For operators: no right inside the product reaches across workspaces. Raises ValidationError.
    """
    workspace = Workspace(slug=slug, name=name or slug)
    workspace.full_clean()
    with transaction.atomic():
        workspace.save(force_insert=True)
        return add_member(workspace, owner_email, by=None, role=Member.Role.OWNER, password=password)


def add_member(workspace, email, *, by, role=Member.Role.MEMBER, agent=None, password=None):
    """Give a person a place in the workspace; somebody who left comes back. Returns the Member.

    The user is made if new and then needs a `password`; one that exists keeps theirs. `by` is None for operators.
    Raises NotAllowed, ValidationError.
    """
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)
    if agent is not None and agent.workspace_id != workspace.pk:
        raise ValidationError({"agent": "This agent belongs to another workspace."})
    try:
        with transaction.atomic():
            user = _user(email, password)
            member = Member.objects.filter(workspace=workspace, user=user).first()
            if member is None:
                member = Member(workspace=workspace, user=user, role=role, agent=agent)
                member._history_user = by.user if by is not None else None
                member.clean_fields()
                member.save(force_insert=True)
            else:
                member.role = role
                member.clean_fields()
                gone = Member.objects.filter(left_at__isnull=False)
                if not history.change(member, gone, by=by, role=role, agent=agent, left_at=None):
                    raise ValidationError({"email": f"{user.email} is a member of this workspace already."})
    except IntegrityError as error:
        if role == Member.Role.OWNER:
            raise ValidationError({"role": "This workspace has its owner already."}) from error
        raise ValidationError({"agent": "This agent is somebody else's row already."}) from error
    return member


def change_role(member, *, by, role):
    """Make a member an admin or an admin a member. Raises NotAllowed, NotAMember, ValidationError."""
    require(by, Right.MANAGE_WORKSPACE)
    if role not in (Member.Role.ADMIN, Member.Role.MEMBER):
        raise ValidationError({"role": "Choose admin or member. Ownership is handed over by the owner."})
    _change(member, by, role=role)


def link(member, *, by, agent):
    """Say which agent is the member's own row; None for none. Raises NotAllowed, NotAMember, ValidationError."""
    require(by, Right.MANAGE_WORKSPACE)
    if agent is not None and agent.workspace_id != member.workspace_id:
        raise ValidationError({"agent": "This agent belongs to another workspace."})
    try:
        _change(member, by, rows=Member.objects.filter(left_at=None), agent=agent)
    except IntegrityError as error:
        raise ValidationError({"agent": "This agent is somebody else's row already."}) from error


def remove(member, *, by):
    """Take a person out of the workspace: what they wrote stays under their name, their tokens are dead from now on.

    Admins may remove themselves. Raises NotAllowed, NotAMember.
    """
    require(by, Right.MANAGE_WORKSPACE)
    with transaction.atomic():
        _change(member, by, left_at=timezone.now(), agent=None)
        member.tokens.filter(revoked_at=None).update(revoked_at=timezone.now(), revoked_by=by)


def hand_over(member, *, by):
    """Make `member` the owner; the owner until now, `by`, becomes an admin. Raises NotAllowed, NotAMember."""
    require(by, Right.HAND_OVER)
    if member.workspace_id != by.workspace_id:
        raise NotAMember("Only a member of this workspace can own it.")
    with transaction.atomic():
        owner = Member.objects.filter(role=Member.Role.OWNER)
        if not history.change(by, owner, by=by, role=Member.Role.ADMIN):
            raise NotAllowed("Only the owner of this workspace may hand it over.")
        _change(member, by, role=Member.Role.OWNER)


def _change(member, by, *, rows=None, **values):
    """The next version of a member who has not left and is not the owner, unless `rows` says among which."""
    rows = Member.objects.filter(left_at=None).exclude(role=Member.Role.OWNER) if rows is None else rows
    if not history.change(member, rows, by=by, **values):
        member.refresh_from_db()
        raise NotAMember(
            f"{member} owns this workspace. Hand it over first."
            if member.is_owner
            else f"{member} is no member of this workspace any more."
        )


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
    if user is not None:
        if password is not None:
            raise ValidationError({"password": f"{email} has an account already, and keeps its password."})
        return user
    if password is None:
        raise ValidationError({"password": f"{email} is new here and needs a password to sign in with."})
    user = User(email=email)
    validate_password(password, user)
    return User.objects.create_user(email, password)
