"""Who speaks: a script by its token, a page by its session. Either way `request.member` is set afterwards.

Outside of `api_base`, as `api_parsing`: REST framework loads both before its own views, on which `api_base` stands.
"""

from datetime import timedelta

from django.db.models import CharField, DateTimeField
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotFound
from rest_framework.permissions import BasePermission

from agents.compiled import CompiledQuery, Parameter, columns_of, read_models
from agents.models import ApiToken, Member, User, Workspace

USE_NOTED_EVERY = timedelta(minutes=1)
READING = ("GET", "HEAD", "OPTIONS")
TOKENS = CompiledQuery(
    lambda _: ApiToken.objects.usable(at=Parameter("now", DateTimeField())).filter(hash=Parameter("hash", CharField())),
    columns_of(ApiToken)
    + columns_of(Member, "member__")
    + columns_of(User, "member__user__")
    + columns_of(Workspace, "member__workspace__"),
)


def usable_token(secret: str) -> ApiToken | None:
    """The token of that secret, with its member, their user and workspace; None where it is unknown, revoked or expired."""
    rows = TOKENS.rows(now=timezone.now(), hash=ApiToken.hashed(secret))
    if not rows:
        return None
    token, token.member, token.member.user, token.member.workspace = read_models(
        rows[0], ApiToken, Member, User, Workspace
    )
    return token


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer TOKEN`. Speaks for the token's member, as far as the token's scopes reach."""

    def authenticate(self, request):
        scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("The Authorization header must read “Bearer TOKEN”.")
        token = usable_token(secret.strip())
        if token is None:
            raise AuthenticationFailed("This token is unknown, revoked or expired.")
        now = timezone.now()
        if token.last_used_at is None or token.last_used_at < now - USE_NOTED_EVERY:
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        request._request.member = token.member
        return token.member.user, token

    def authenticate_header(self, request):
        return "Bearer"


class PageAuthentication(SessionAuthentication):
    """The session of a signed-in person, with the CSRF check; the member comes from the middleware."""

    def authenticate(self, request):
        signed_in = super().authenticate(request)
        if signed_in and not request._request.member:
            raise NotFound("You are not a member of any workspace.")  # whoever was removed sees nothing here any more
        return signed_in


def scopes_asked(view, method: str) -> tuple[str, ...]:
    """The scopes of which a token needs one for `method` on `view`."""
    method = "GET" if method == "HEAD" else method
    asked = getattr(view, "scopes", {}).get(method, "read" if method in READING else "write")
    return (asked,) if isinstance(asked, str) else asked


class ScopePermission(BasePermission):
    """Somebody is there, and a token has a scope that the view asks for.

    A view may declare `scopes = {"POST": "approve", "GET": ("read", "runtime")}`: one scope, or several of which one is
    enough. Undeclared methods ask for `read` where they read and for `write` where they write.
    """

    def has_permission(self, request, view):
        if not (request.user and request.user.is_authenticated):
            return False
        if request.auth is None:
            return True
        enough = scopes_asked(view, request.method)
        if not set(enough) & set(request.auth.scopes):
            self.message = f"This token lacks the scope {' or '.join(enough)}."
            return False
        return True
