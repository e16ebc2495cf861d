"""Settings › Members: who is here as what, whom to ask in, and one page for each person."""

from http import HTTPStatus
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from agents import work
from agents.access import Right, require
from agents.forms import HandOverForm, InviteForm, OwnRowForm, RoleForm
from agents.models import Invitation, Member
from agents.pages import page, wants_fragment
from agents.people import invitations, listing, members, own_rows
from agents.tasks import send_invitation
from agents.views.account import wrong_password


@page("GET", "POST")
def listed(request):
    """Everybody in the workspace, and who is asked in; a POST asks somebody in."""
    require(request.member, Right.MANAGE_WORKSPACE)
    if request.method != "POST":
        known = request.GET.get("email", "")
        return _show_list(request, InviteForm(initial={"email": known} if known else None))
    form = InviteForm(request.POST)
    if form.is_valid():
        workspace, typed = request.member.workspace, form.cleaned_data
        try:
            own = own_rows.find(workspace, typed["agent"])
            asked = invitations.invite(workspace, typed["email"], by=request.member, role=typed["role"], agent=own)
        except ValidationError as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, f"{asked.email} is invited. {_send(asked)}")
            # Without a place of its own the browser would stay at the form, below what there is to hand over.
            return redirect(f"{reverse('settings-members')}#invitations")
    return _show_list(request, form, HTTPStatus.BAD_REQUEST)


@page()
def waiting(request):
    """The invitations that wait, as they stand now: a part of the members page, which asks for it again."""
    require(request.member, Right.MANAGE_WORKSPACE)
    if not wants_fragment(request):
        return redirect("settings-members")
    return render(request, "agents/_invitations.html", _asked(request.member.workspace))


@page()
def free_rows(request):
    """The names of rows in the team that can still be linked, for what has been typed so far."""
    require(request.member, Right.MANAGE_WORKSPACE)
    typed = request.GET.get("agent", "").replace("\0", "")[:400]
    return render(request, "agents/_free_rows.html", {"rows": own_rows.offered(request.member.workspace, typed)})


@page("POST")
def send_again(request, invitation_id):
    """The invitation once more, with a new link."""
    asked = get_object_or_404(Invitation.objects.visible_to(request.member), pk=invitation_id)
    try:
        invitations.send_again(asked, by=request.member)
    except invitations.NotOpen as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{asked.email} is invited once more; links from before are dead. {_send(asked)}")
    return redirect("settings-members")


@page("POST")
def revoke(request, invitation_id):
    """Take the invitation back."""
    asked = get_object_or_404(Invitation.objects.visible_to(request.member), pk=invitation_id)
    try:
        invitations.revoke(asked, by=request.member)
    except invitations.NotOpen as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"The invitation of {asked.email} is taken back; its link is dead.")
    return redirect("settings-members")


@page()
def one(request, member_id):
    """One person: what they are here, what can be changed, and what was."""
    return _show_one(request, _found(request, member_id))


@page("POST")
def change_role(request, member_id):
    """Make them an admin or a member."""
    member, form = _found(request, member_id), RoleForm(request.POST)
    if not form.is_valid():
        return _show_one(request, member, role_form=form, status=HTTPStatus.BAD_REQUEST)
    return _act(
        request, member, members.change_role, f"{member} is {form.cleaned_data['role']} now.", **form.cleaned_data
    )


@page("POST")
def link(request, member_id):
    """Say which row of the team is theirs; nothing typed takes it away."""
    member, form = _found(request, member_id), OwnRowForm(request.POST)
    if form.is_valid():
        try:
            own = own_rows.find(member.workspace, form.cleaned_data["agent"])
            told = f"{member} is linked to {own} now." if own else f"{member} has no row of their own now."
            return _act(request, member, members.link, told, agent=own)
        except ValidationError as refusal:
            form.refuse(refusal)
    return _show_one(request, member, row_form=form, status=HTTPStatus.BAD_REQUEST)


@page("POST")
def remove(request, member_id):
    """Take them out of the workspace."""
    member = _found(request, member_id)
    if member.pk == request.member.pk:
        return redirect("account")  # going by oneself is another question, asked there
    return _act(request, member, members.remove, f"{member} is out of the workspace.")


@page("POST")
@sensitive_post_parameters("password")
def hand_over(request, member_id):
    """Give them the workspace: its name is typed and the password asked for, for only they can give it back."""
    member, form = _found(request, member_id), HandOverForm(request.POST)
    require(request.member, Right.HAND_OVER)
    if form.is_valid():
        name = member.workspace.name
        if " ".join(form.cleaned_data["confirmation"].split()) != " ".join(name.split()):
            form.add_error("confirmation", f"Type the name as it stands here: {name}")
        else:
            refused = wrong_password(request, form.cleaned_data["password"])
            if refused is None:
                return _act(request, member, members.hand_over, f"{member} owns this workspace now; you are an admin.")
            form.add_error("password", refused)
    return _show_one(request, member, hand_over_form=form, status=HTTPStatus.BAD_REQUEST)


def _found(request, member_id):
    return get_object_or_404(
        Member.objects.visible_to(request.member).select_related("user", "agent__team", "workspace"), pk=member_id
    )


def _act(request, member, action, told, **given):
    try:
        action(member, by=request.member, **given)
    except members.NotAMember as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, told)
    request.member.refresh_from_db()
    return redirect("settings-member", member.pk) if request.member.is_leader else redirect(settings.LOGIN_REDIRECT_URL)


def _send(asked):
    """Hand the mail to a worker; what is said of it."""
    if asked.next_try_at is None:
        return "This server sends no mail: hand them the link below."
    work.start_soon(send_invitation, str(asked.pk))
    return "The mail is on its way."


def _asked(workspace):
    """What the list of invitations shows, and whether it will soon show something else."""
    asked = listing.asked_in(workspace)
    return {"asked": asked, "under_way": any(one.is_under_way for one in asked)}


def _show_list(request, form, status=HTTPStatus.OK):
    workspace = request.member.workspace
    context = {
        "section": "settings",
        "tab": "settings-members",
        "form": form,
        "page": listing.load(workspace, listing.Question.parse(request.GET)),
        **_asked(workspace),
        "rows": own_rows.offered(workspace),
    }
    return render(request, "agents/settings_members.html", context, status=status)


def _show_one(request, member, *, role_form=None, row_form=None, hand_over_form=None, status=HTTPStatus.OK):
    is_here = member.left_at is None
    context = {
        "section": "settings",
        "tab": "settings-members",
        "person": listing.persons([member])[0],
        "is_here": is_here,
        "is_me": member.pk == request.member.pk,
        "may_change_role": is_here and not member.is_owner,
        "may_hand_over": is_here and request.member.is_owner and not member.is_owner and member.user.is_active,
        "role_form": role_form or RoleForm(initial={"role": member.role}),
        "row_form": row_form or OwnRowForm(),
        "hand_over_form": hand_over_form or HandOverForm(),
        "rows": own_rows.offered(member.workspace) if is_here else [],
        "changes": listing.changes(member.history.all(), listing.CHANGES_OF_ONE_SHOWN),
        "invite_again": f"{reverse('settings-members')}?{urlencode({'email': member.user.email})}#invite",
    }
    return render(request, "agents/settings_member.html", context, status=status)
