"""What Django answers where no view does: scripts get problem+json, people get a page."""

from django.views import defaults

from agents.api_base.problems import Problem, plain_response, problem_of

API = "/api/"


def bad_request(request, exception):
    if request.path.startswith(API):
        return plain_response(problem_of(exception) or Problem(400, "This request cannot be read."))
    return defaults.bad_request(request, exception)


def server_error(request):
    if request.path.startswith(API):
        return plain_response(Problem(500, "Something broke on our side. It is in the log."))
    return defaults.server_error(request)
