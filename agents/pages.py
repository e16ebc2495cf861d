"""The door every page stands behind."""

from functools import wraps
from http import HTTPStatus
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, PermissionDenied
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods

from agents.access import NotAllowed

FRAGMENT = "HX-Request-Type"
# The fields of forms in which somebody writes sentences. Never one that may hold a password or a key.
WORDS = ("body", "summary", "text", "trigger", "content", "system_prompt", "reason", "note")


def page(*methods, of_account=False):
    """Make a view a page of a signed-in member, for `methods` (default: GET).

    Strangers are asked to sign in, and get back what they had written meanwhile; a person without a workspace is told so, except
    where the page is `of_account`, about the login itself; `NotAllowed` becomes a 403 with its reason. Times are those of the
    workspace. Answers are never kept by caches, for the next person at the machine may be somebody else.
    """

    def decorate(view):
        @require_http_methods([*methods, "HEAD"] if methods else ["GET", "HEAD"])
        @cache_control(private=True, no_store=True)
        @wraps(view)
        def answer(request, *args, **kwargs):
            if not request.user.is_authenticated:
                return _ask_to_sign_in(request)
            refuse_nul(request)
            if not request.member and not of_account:
                return render(request, "agents/no_workspace.html", status=404)
            try:
                with timezone.override(request.member.workspace.zone if request.member else None):
                    response = view(request, *args, **kwargs)
            except NotAllowed as refusal:
                raise PermissionDenied(str(refusal)) from refusal
            patch_vary_headers(response, [FRAGMENT])
            return response

        return answer

    return decorate


def refuse_nul(request):
    """Raise BadRequest where a form holds a NUL character: no keyboard sends one, and PostgreSQL refuses it late."""
    if any("\0" in value for values in dict(request.POST.lists()).values() for value in values):
        raise BadRequest("A NUL character cannot be stored.")


def _ask_to_sign_in(request):
    """To the sign-in. What somebody had written is shown once more: a script keeps drafts, without one it would be lost."""
    way_in = redirect_to_login(_back_to(request))
    words = [request.POST[name] for name in WORDS if request.POST.get(name, "").strip()]
    if not words or FRAGMENT in request.headers:
        return way_in
    return render(
        request, "agents/signed_out.html", {"words": words, "way_in": way_in.url}, status=HTTPStatus.FORBIDDEN
    )


def _back_to(request):
    """Where who has to sign in first comes back to. The address of a form is often no page: then to where the form stood."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    stood = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(stood, {request.get_host()}):
        return resolve_url(settings.LOGIN_REDIRECT_URL)
    return urlsplit(stood)._replace(scheme="", netloc="", fragment="").geturl()


def wants_fragment(request):
    """Whether htmx will put the answer into a part of the page, so that the frame is not needed."""
    return request.headers.get(FRAGMENT) == "partial"
