"""What Django answers where no view does: scripts get problem+json, people get a page."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from django.template import loader
from django.views import defaults

from agents.api_base.problems import Problem, plain_response, problem_of

API = "/api/"
RETRY_AFTER = "10"  # seconds


def bad_request(request, exception):
    if request.path.startswith(API):
        return plain_response(problem_of(exception) or Problem(400, "This request cannot be read."))
    return defaults.bad_request(request, exception)


def server_error(request):
    """503 where the database is away, full or locked, which passes; 500 where we broke something."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        answer: HttpResponse
        if request.path.startswith(API):
            answer = plain_response(Problem(503, "The database cannot be used now. Nothing was stored."))
        else:
            answer = HttpResponse(loader.get_template("503.html").render(), status=503)
        answer["Retry-After"] = RETRY_AFTER
        return answer
    if request.path.startswith(API):
        return plain_response(Problem(500, "Something broke on our side. It is in the log."))
    return defaults.server_error(request)
