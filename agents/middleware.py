"""Which member a request speaks for, and when their browser was last here."""

from django.utils.functional import SimpleLazyObject

from agents.compiled import CompiledQuery, Parameter, columns_of, read_models
from agents.models import Agent, Member, User, Workspace
from agents.people.sign_ins import place_of

SESSION_KEY = "workspace"
MEMBERSHIPS = CompiledQuery(
    lambda _: Member.objects.current().filter(user=Parameter("user", User._meta.pk)).order_by("joined_at", "pk"),
    columns_of(Member) + columns_of(Workspace, "workspace__") + columns_of(Agent, "agent__"),
)


def current_member(get_response):
    """Set `request.memberships`, the places of the signed-in user in the order they joined, and `request.member`.

    That is their place in the workspace they last chose, else their first; or None.
    """

    def middleware(request):
        request.memberships = SimpleLazyObject(lambda: memberships_of(request))
        request.member = SimpleLazyObject(lambda: member_of(request))
        response = get_response(request)
        if request.session.accessed:
            request.session.seen(place=place_of(request))
        return response

    return middleware


def memberships_of(request):
    if not request.user.is_authenticated:
        return []
    return [_membership(row, request.user) for row in MEMBERSHIPS.rows(user=request.user.pk)]


def _membership(row, user):
    member, member.workspace, member.agent = read_models(row, Member, Workspace, Agent)
    member.user = user
    return member


def member_of(request):
    chosen = request.session.get(SESSION_KEY) if request.user.is_authenticated else None
    here = [member for member in request.memberships if str(member.workspace_id) == chosen]
    return next(iter(here or request.memberships), None)
