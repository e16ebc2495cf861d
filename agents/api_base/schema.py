"""How routes describe themselves in OpenAPI."""

import inspect

from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, force_instance

from agents.api_authentication import scopes_asked
from agents.api_base.fields import EARLIEST_MS, StrictSerializer

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    },
}
REFUSALS = {
    400: "A field, a filter, a parameter or the body as a whole was refused; `errors` says which and why.",
    401: "No token, or one that is unknown, revoked or expired.",
    403: "The token lacks the scope, or the role does not reach this far.",
    404: "There is no such thing, or not for the eyes of whoever asks: the two cannot be told apart.",
    409: "It is not as the request takes it to be: changed or decided meanwhile, a name that fits two, a key used before.",
    411: "The body came in chunks, without its length.",
    413: "The body is larger than 10 MB, or a text in it is longer than it may be.",
    415: "The body is not of the media type that is read here.",
}
BODY_REFUSALS = (411, 413, 415)
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "Makes the request safe to repeat: the same key and body are done once and answered the same for a day.",
}
INSTANT = {"type": "integer", "format": "int64", "minimum": EARLIEST_MS}
WHOLE = {"type": "integer", "minimum": 0, "maximum": 999_999_999}
TEXT = {"type": "string", "minLength": 1}
# What the query parameters are that views name in their `parameters`: whether they must be there, their schema, what they mean.
PARAMETERS = {
    "after": (False, WHOLE, "Only what happened behind the event of this id."),
    "agent": (True, TEXT, "An agent's id or exact name."),
    "asNew": (False, {"type": "boolean"}, "Leave the ids in the file aside: everything in it is new."),
    "asOf": (False, INSTANT, "As it was at this time, epoch milliseconds; not together with version."),
    "baseVersion": (False, WHOLE | {"minimum": 1}, "The version you saw; may stand in the body instead."),
    "key": (False, TEXT, "The key in the feed's address."),
    "version": (False, WHOLE, "As it was at this configuration number of the agent."),
}


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "agents.api_authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema):
        return {"type": "http", "scheme": "bearer"}


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "agents.api_authentication.PageAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema):
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class Schema(AutoSchema):
    """Says what the base of all views does: names every query parameter, closes bodies to fields that are not there, and
    gives each operation its refusals as problem+json, the scopes that a token needs (`x-scopes`), and whether members
    without a leader's rights have any use for it (`x-for-members`).
    """

    def get_operation(self, *args, **kwargs):
        operation = super().get_operation(*args, **kwargs)
        if not operation:
            return operation
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query" and parameter["schema"].get("type") == "string":
                parameter["schema"].setdefault("minLength", 1)  # an empty one is refused
        refusals = self._refusals(operation)
        operation["responses"] |= {str(status): self._refusal(REFUSALS[status]) for status in refusals}
        operation["responses"]["default"] = self._refusal("Any other refusal.")
        if operation.get("security"):
            operation["x-scopes"] = list(scopes_asked(self.view, self.method))
            operation["x-for-members"] = self.method in getattr(self.view, "for_members", ())
        return operation

    def _refusals(self, operation):
        """The statuses with which this operation refuses."""
        needs_somebody = bool(operation.get("security"))
        places = {parameter["in"] for parameter in operation.get("parameters", ())}
        names_agent = any(parameter["name"] == "agent" for parameter in operation.get("parameters", ()))
        yield 400
        if needs_somebody:
            yield from (401, 403)
        if "path" in places or names_agent or self.method == "POST" or not needs_somebody:
            yield 404
        if names_agent or self.method in ("POST", "PATCH", "DELETE"):
            yield 409
        if self.method != "GET":
            yield from BODY_REFUSALS

    def _refusal(self, description):
        component = ResolvedComponent(name="Problem", type=ResolvedComponent.SCHEMA, schema=PROBLEM, object="Problem")
        self.registry.register_on_missing(component)
        return {"description": description, "content": {"application/problem+json": {"schema": component.ref}}}

    def get_filter_backends(self):
        """The filter set of every GET that has one, whether or not its answer is nothing but the list."""
        filtered = self.method == "GET" and getattr(self.view, "filterset_class", None)
        return [DjangoFilterBackend] if filtered else []

    def _get_pagination_parameters(self):
        if self.method != "GET" or getattr(self.view, "ordering", None) is None:
            return []
        return self._get_paginator().get_schema_operation_parameters(self.view)

    def _get_parameters(self):
        named = getattr(self.view, "parameters", {}).get(self.method, ())
        own = [
            {"in": "query", "name": name, "schema": schema, "description": meaning}
            | ({"required": True} if needed else {})
            for name, (needed, schema, meaning) in ((name, PARAMETERS[name]) for name in named)
        ]
        if self.method == "POST":
            own.append(IDEMPOTENCY_KEY)
        return super()._get_parameters() + own

    def get_description(self):
        """What the handler or its own view says of itself; what a base class says is for whoever writes views."""
        handler = getattr(self.view, self.method.lower(), None)
        return inspect.cleandoc(handler.__doc__ or type(self.view).__doc__ or "")

    def _map_basic_serializer(self, serializer, direction):
        schema = super()._map_basic_serializer(serializer, direction)
        if type(force_instance(serializer)).__doc__ is None:
            schema.pop("description", None)
        if direction == "request" and isinstance(force_instance(serializer), StrictSerializer):
            schema["additionalProperties"] = False
        return schema

    def get_tags(self):
        return [self.path.removeprefix("/api/v1/").split("/")[0]]
