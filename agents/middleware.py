"""Which member a request speaks for, and when their browser was last here."""

from django.utils.functional import SimpleLazyObject

from agents.models import Member
from agents.people.sign_ins import place_of

SESSION_KEY = "workspace"


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
    members = Member.objects.current().filter(user=request.user).select_related("workspace", "user", "agent")
    return list(members.order_by("joined_at", "pk"))


def member_of(request):
    chosen = request.session.get(SESSION_KEY) if request.user.is_authenticated else None
    here = [member for member in request.memberships if str(member.workspace_id) == chosen]
    return next(iter(here or request.memberships), None)
