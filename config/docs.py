"""/api/v1/docs: the OpenAPI description as a page on which each route can be tried.

Swagger's own page needs inline scripts, which no page here may run. Ours is whole without a script: static/api_docs.js only
shows the forms, sends them and says what came back.
"""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.gzip import gzip_page
from drf_spectacular.generators import SchemaGenerator

from agents.api_base.problems import Problem, plain_response
from agents.api_base.schema import REFUSALS as REFUSED_STATUSES
from agents.models import Agent, ApiToken, Member
from agents.pages import page
from config import api_examples

DEEPEST = 4  # levels of fields that are listed
METHODS = ("get", "post", "put", "patch", "delete")
WORDS = {
    "boolean": "true or false",
    "double": "number",
    "int64": "time",
    "integer": "whole number",
    "string": "text",
    "uri-reference": "text",
    "uuid": "id",
}
STREAM = "text/event-stream"  # not tried on the page: an answer that goes on for minutes
# The nouns in the order in which a script meets them, each with what stands above its routes.
GROUPS = {
    "coaching": ("Coaching people", "The drawer of one person: open flag, samples and notes; follow-ups."),
    "flags": ("Flags", "Who is sustained-falling, and what was made of it."),
    "agents": ("Agents", "People and AI agents, their ratings over time, and what an AI agent is told."),
    "conversations": (
        "Conversations",
        "What was said to customers, sent by your own systems or known from a helpdesk.",
    ),
    "ratings": ("Ratings", "CSAT answers in bulk."),
    "memories": ("Memories", "One memory of an AI agent. They are listed, added and searched under their agent."),
    "procedures": ("Procedures", "One procedure of an AI agent. They are listed and added under their agent."),
    "coach": ("Coach", "Talks with the coach of an AI agent."),
    "proposals": ("Proposals", "Changes that wait for a decision, and what was decided."),
    "decisions": ("Decision log", "Who decided what, when and from where."),
    "imports": ("Imports", "A configuration brought in as files."),
    "deeplinks": ("Deep links", "How a conversation is opened in its helpdesk."),
}
SCOPES = {
    "read": "every GET, and the search of memories",
    "write": "notes, samples, flags, conversations, ratings, and changes by hand",
    "approve": "decisions: on proposals, imports, and the end of a flag",
    "runtime": "what an AI agent itself asks for: its configuration, and the search of its memories",
}
REFUSALS = {str(status): sentence for status, sentence in REFUSED_STATUSES.items()}
PROBLEMS = {
    "refused-fields": "Fields, filters or parameters were refused; `errors` says which and why.",
    "ambiguous-agent": "A name fits several agents; `candidates` lists them. Use an id.",
    "stale-version": "It was changed after your baseVersion; `conflict` has base, current and proposed value per field.",
    "already-decided": "Somebody was first; decidedBy, decidedAt, decidedFrom and proposalStatus say who, when and how.",
    "already-taken-back": "Somebody did; takenBackBy, takenBackAt and configurationVersion say by whom, when and as what.",
    "nothing-to-take-back": "It is as it was before already, or it is the first version of a prompt, which came with its agent.",
    "nothing-to-rebase": "The proposal is up to date, is for something new, or asks for what is there already.",
    "not-together": "Only proposals of one type and of low risk are decided together, at most 200 at once.",
    "already-flagged": "The agent has an open flag, and one is enough; `flag` is its id.",
    "already-closed": "The flag is not open any more.",
    "not-dismissed": "Only a dismissal can be taken back, and the flag was not dismissed.",
    "archived": "The note was archived, so it cannot be changed.",
    "coach-off": "The agent has no coach, or coaching is switched off for it.",
    "turn-state": "The turn has ended already, or has not ended yet.",
    "transcript-unavailable": "The conversation is known, its transcript cannot be read.",
    "idempotency-key-in-use": "The Idempotency-Key belongs to another request, or its first request is still at work.",
}


@dataclass(frozen=True)
class Field:
    """One field of a body or one parameter. `name` is dotted where it is nested; `[]` marks the items of a list.

    `place` is path, query or header of a parameter; `choices` are the values it may have, if these are few.
    """

    name: str
    type: str
    required: bool
    description: str
    place: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """One way in which an operation answers."""

    status: str
    media_type: str
    fields: list[Field]
    example: str


@dataclass(frozen=True)
class Operation:
    """One method of one route, with its body as `media_type` and an example of it."""

    method: str
    path: str
    anchor: str
    title: str
    description: str
    scopes: tuple[str, ...]
    for_members: bool
    parameters: list[Field]
    media_type: str
    body: list[Field]
    example: str
    answers: list[Answer]
    refusals: list[str]  # statuses; REFUSALS says what each means

    @property
    def writes(self) -> bool:
        return self.method != "GET" and "runtime" not in self.scopes

    @property
    def media_types(self) -> list[str]:
        """Those of its answers that the page can show."""
        return list(
            dict.fromkeys(answer.media_type for answer in self.answers if answer.media_type not in ("", STREAM))
        )


@dataclass(frozen=True)
class Group:
    """The operations of one noun."""

    name: str
    title: str
    description: str
    operations: list[Operation] = field(default_factory=list)


@dataclass(frozen=True)
class Trial:
    """An operation with what its form starts with: `values` of parameters, in their order, and a body."""

    operation: Operation
    values: list[tuple[Field, str]]
    body: str
    curl: str


@csrf_exempt  # nothing is written here, and a script that posts to a page is to be told so in its own tongue
def docs(request: Any) -> HttpResponse:
    """The page, for people; every other method is refused as everywhere under /api/v1."""
    if request.method not in ("GET", "HEAD"):
        answer: HttpResponse = plain_response(Problem(405, f'Method "{request.method}" not allowed.'))
        answer["Allow"] = "GET, HEAD"
        return answer
    return _page(request)


@gzip_page  # 0.5 MB of words otherwise; its one secret, the form's token, is masked anew in every answer
@page()
def _page(request: Any) -> HttpResponse:
    """Every route the member has a use for, with what it takes and answers, and every kind of refusal."""
    everything = groups()
    shown = [
        (group, [operation for operation in group.operations if request.member.is_leader or operation.for_members])
        for group in everything
    ]
    base = request.build_absolute_uri("/").rstrip("/")
    known = _Known(request.member, base)
    context = {
        "groups": [(group, [known.trial(operation) for operation in found]) for group, found in shown if found],
        "n_shown": sum(len(found) for _, found in shown),
        "n_all": sum(len(group.operations) for group in everything),
        "refusals": REFUSALS,
        "problems": PROBLEMS,
        "scopes": [(scope, SCOPES[scope]) for scope in ApiToken.SCOPES],
        "base": base,
    }
    return render(request, "api_docs.html", context)


class _Known:
    """What the member's own workspace has to put into the forms, so that they can be sent as they are."""

    def __init__(self, member: Member, base: str):
        self.base = base
        agents = Agent.objects.visible_to(member).active().order_by("created_at", "id")
        self.person = agents.filter(kind=Agent.Kind.HUMAN).first()
        self.assistant = agents.ai().first()
        self.bodies = api_examples.bodies(timezone.now())

    def trial(self, operation: Operation) -> Trial:
        values = [(parameter, self._value(operation, parameter)) for parameter in operation.parameters]
        body = self._body(operation)
        return Trial(operation, values, body, _curl(self.base, operation, values, body))

    def _value(self, operation: Operation, parameter: Field) -> str:
        if not parameter.required:
            return ""
        of_people = parameter.name == "agent" or operation.path.endswith(("{agent_id}", "/trajectory"))
        agent = (self.person if of_people else self.assistant) or self.person or self.assistant
        if agent is not None and parameter.name in ("agent", "agent_id"):
            return agent.name if parameter.name == "agent" else str(agent.pk)
        return ""

    def _body(self, operation: Operation) -> str:
        if operation.anchor not in self.bodies:
            return operation.example
        body = self.bodies[operation.anchor]
        names = {api_examples.PERSON: self.person, api_examples.ASSISTANT: self.assistant}
        for holder in (body, *body.get("items", ())):
            agent = names.get(holder.get("agent"))
            if agent is not None:
                holder["agent"] = agent.name
        return _pretty(body)


def _curl(base: str, operation: Operation, values: list[tuple[Field, str]], body: str) -> str:
    """The same request for a shell; static/api_docs.js spells it in the same way as the form is filled in."""
    path = operation.path
    for parameter, value in values:
        if parameter.place == "path" and value:
            path = path.replace(f"{{{parameter.name}}}", quote(value, safe=""))
    query = [f"{each.name}={quote(value, safe='')}" for each, value in values if each.place == "query" and value]
    address = "?".join(filter(None, (base + path, "&".join(query))))
    method = "" if operation.method == "GET" else f"-X {operation.method} "
    lines = [f"curl {method}'{address}'", '-H "Authorization: Bearer $TOKEN"']
    if operation.media_type == "application/json":
        quoted = body.replace("'", "'\\''")
        lines += ["-H 'Content-Type: application/json'", f"-d '{quoted}'"]
    elif operation.media_type:
        lines += [f"-H 'Content-Type: {operation.media_type}'", "--data-binary @FILE"]
    return " \\\n  ".join(lines)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


@lru_cache(maxsize=1)
def groups() -> list[Group]:
    """The description, read once per process: routes do not change while it runs."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    found: dict[str, Group] = {}
    for path, item in schema["paths"].items():
        for method in METHODS:
            if method in item:
                name = item[method]["tags"][0]
                title, description = GROUPS.get(name, (name.capitalize(), ""))
                operation = _operation(method, path, item[method], schema["components"]["schemas"])
                found.setdefault(name, Group(name, title, description)).operations.append(operation)
    order = list(GROUPS)
    return sorted(found.values(), key=lambda group: order.index(group.name) if group.name in order else len(order))


def _operation(method: str, path: str, said: dict[str, Any], components: dict[str, Any]) -> Operation:
    answers: list[Answer] = []
    refusals: list[str] = []
    for status, answer in said["responses"].items():
        if status >= "400":
            refusals += [status] if status in REFUSALS else []
            continue
        for media_type, content in answer.get("content", {"": {}}).items():
            told = _fields(content.get("schema", {}), components) if media_type == "application/json" else []
            answers.append(
                Answer(status, media_type, told, _pretty(content["example"]) if "example" in content else "")
            )
    contents: dict[str, Any] = said.get("requestBody", {}).get("content", {})
    media_type = next(iter(contents), "")
    body = contents.get(media_type, {})
    return Operation(
        method=method.upper(),
        path=path,
        anchor=said["operationId"],
        title=said["summary"],
        description=said.get("description", ""),
        scopes=tuple(said.get("x-scopes", ())),
        for_members=said.get("x-for-members", False),
        parameters=[_parameter(each) for each in said.get("parameters", [])],
        media_type=media_type,
        body=_fields(body.get("schema", {}), components),
        example=_pretty(body["example"]) if "example" in body else "",
        answers=answers,
        refusals=refusals,
    )


def _parameter(said: dict[str, Any]) -> Field:
    schema = said["schema"]
    choices = ("true", "false") if schema.get("type") == "boolean" else tuple(map(str, schema.get("enum", ())))
    return Field(said["name"], _type(schema), said.get("required", False), _remark(said), said["in"], choices)


def _remark(said: dict[str, Any]) -> str:
    """The description without its list of choices, which stand in the type."""
    told = said.get("description", "")
    return "" if told.startswith("* `") else told.partition("\n\n* `")[0]


def _fields(schema: dict[str, Any], components: dict[str, Any], prefix: str = "", depth: int = 1) -> list[Field]:
    """The fields of a schema, each before those inside it."""
    schema = _resolved(schema, components)
    if schema.get("type") == "array":
        return _fields(schema["items"], components, f"{prefix}[]", depth)
    told = []
    for name, inner in schema.get("properties", {}).items():
        inner = _resolved(inner, components)
        where = f"{prefix}.{name}" if prefix else name
        told.append(Field(where, _type(inner), name in schema.get("required", ()), _remark(inner)))
        if depth < DEEPEST:
            told += _fields(inner, components, where, depth + 1)
    return told


def _resolved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """The schema itself where it is a reference, alone or with remarks of its own."""
    for reference in (schema, *schema.get("allOf", ()), *schema.get("oneOf", ())[:1]):
        if "$ref" in reference:
            remarks = {key: value for key, value in schema.items() if key not in ("$ref", "allOf", "oneOf")}
            return _resolved(components[reference["$ref"].rpartition("/")[2]], components) | remarks
    return schema


def _type(schema: dict[str, Any]) -> str:
    """What a value is, in words."""
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"] if value not in (None, ""))
    told = str(schema.get("format") or schema.get("type") or "any")
    told = "list" if schema.get("type") == "array" else WORDS.get(told, told)
    return f"{told}, or null" if schema.get("nullable") else told
