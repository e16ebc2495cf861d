"""Where Slack sends what happens there. No session, no member: each request proves itself by its signature."""

import logging
from http import HTTPStatus

from django.db import DatabaseError
from django.http import HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from agents import work
from coaching.slack import switchboard
from coaching.slack.switchboard import Answer
from coaching.tasks import follow_slack

MOST_BYTES = 1_000_000  # of one body
FORM = "application/x-www-form-urlencoded"

TOO_LARGE = Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"A body has at most {MOST_BYTES // 1_000_000} MB."})
NOT_ALLOWED = Answer(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "Slack sends by POST."})
LATER = Answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "It cannot be kept right now. Send it again."})
BROKEN = Answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "Something broke on our side. It is in the log."})

log = logging.getLogger(__name__)


@csrf_exempt
def hook(request):
    """An event, a click or a form: kept, answered, and followed by a worker."""
    answer = _answer(request)
    if answer.owed is not None:
        work.start_soon(follow_slack, str(answer.owed))
    further = {"Cache-Control": "no-store"} | ({"Allow": "POST"} if answer == NOT_ALLOWED else {})
    if answer.body is None:
        return HttpResponse(status=answer.status, headers=further)
    return JsonResponse(answer.body, status=answer.status, headers=further)


def _answer(request) -> Answer:
    if request.method != "POST":
        return NOT_ALLOWED
    if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
        return TOO_LARGE
    raw = request.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        return TOO_LARGE
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        return switchboard.receive(raw, headers, is_form=request.content_type == FORM)
    except Exception as error:  # its words may hold what somebody wrote
        log.error("Slack's request could not be kept: %s", type(error).__name__)
        return LATER if isinstance(error, DatabaseError) else BROKEN
