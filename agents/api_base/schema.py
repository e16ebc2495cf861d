"""How routes describe themselves in OpenAPI."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import force_instance

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
    gives each operation its refusals, problem+json as the default response.
    """

    def get_operation(self, *args, **kwargs):
        operation = super().get_operation(*args, **kwargs)
        if operation:
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query" and parameter["schema"].get("type") == "string":
                    parameter["schema"].setdefault("minLength", 1)  # an empty one is refused
            operation["responses"]["default"] = {
                "description": "A refusal.",
                "content": {"application/problem+json": {"schema": PROBLEM}},
            }
        return operation

    def _get_parameters(self):
        named = getattr(self.view, "parameters", {}).get(self.method, ())
        own = [
            {"in": "query", "name": name, "schema": schema, "description": meaning}
            | ({"required": True} if needed else {})
            for name, (needed, schema, meaning) in ((name, PARAMETERS[name]) for name in named)
        ]
        return super()._get_parameters() + own

    def _map_basic_serializer(self, serializer, direction):
        schema = super()._map_basic_serializer(serializer, direction)
        if direction == "request" and isinstance(force_instance(serializer), StrictSerializer):
            schema["additionalProperties"] = False
        return schema

    def get_tags(self):
        return [self.path.removeprefix("/api/v1/").split("/")[0]]
