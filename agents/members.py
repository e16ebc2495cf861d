"""What can be done to workspaces, the people in them and their tokens. Every door calls these."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from agents.access import Right, require
from agents.models import ApiToken, Member, User, Workspace


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
                member = Member(workspace=workspace, user=user)
            elif member.left_at is None:
                raise ValidationError({"email": f"{user.email} is a member of this workspace already."})
            member.role, member.agent, member.left_at = role, agent, None
            member.clean_fields()
            member.save()
    except IntegrityError as error:
        if role == Member.Role.OWNER:
            raise ValidationError({"role": "This workspace has its owner already."}) from error
        raise ValidationError({"agent": "This agent is somebody else's row already."}) from error
    return member


def issue_token(member, *, name, scopes, expires_at=None):
    """A new API token that speaks for `member`. Returns its secret, which is shown once and kept nowhere.

    For operators and for the member themselves. Raises ValidationError.
    """
    unknown = sorted(set(scopes) - set(ApiToken.SCOPES))
    if unknown or not scopes:
        raise ValidationError(
            {"scopes": f"Scopes are {', '.join(ApiToken.SCOPES)}; not {', '.join(unknown) or 'none'}."}
        )
    secret = ApiToken.new_secret()
    token = ApiToken(
        workspace_id=member.workspace_id,
        member=member,
        name=name,
        hash=ApiToken.hashed(secret),
        scopes=[scope for scope in ApiToken.SCOPES if scope in scopes],
        expires_at=expires_at,
    )
    token.clean_fields()
    token.save(force_insert=True)
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
