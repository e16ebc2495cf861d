"""Which member a request speaks for."""

from django.utils.functional import SimpleLazyObject

from agents.models import Member

SESSION_KEY = "workspace"


def current_member(get_response):
    """Set `request.member`: the signed-in user's membership in the workspace they last chose, else their first; or None."""

    def middleware(request):
        request.member = SimpleLazyObject(lambda: member_of(request))
        return get_response(request)

    return middleware


def member_of(request):
    if not request.user.is_authenticated:
        return None
    memberships = Member.objects.current().filter(user=request.user).select_related("workspace", "user", "agent")
    chosen = request.session.get(SESSION_KEY)
    found = {str(m.workspace_id): m for m in memberships.order_by("joined_at")}
    return found.get(chosen) or next(iter(found.values()), None)
