"""/api/v1/docs: the OpenAPI description as a page. Swagger's own page needs inline scripts, which no page here may run."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator

from agents.pages import page

DEEPEST = 4  # levels of fields that are listed
METHODS = ("get", "post", "put", "patch", "delete")
PROBLEMS = {
    "refused-fields": "Fields, filters or parameters were refused; `errors` says which and why.",
    "ambiguous-agent": "A name fits several agents; `candidates` lists them. Use an id.",
    "stale-version": "It was changed after your baseVersion; `conflict` has base, current and proposed value per field.",
    "already-decided": "Somebody was first; decidedBy, decidedAt, decidedFrom and proposalStatus say who, when and how.",
    "already-taken-back": "It was taken back before; takenBackBy, takenBackAt and configurationVersion say by whom and when.",
    "nothing-to-take-back": "The first version of a prompt came with its agent: it can be emptied, not taken back.",
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
    """One field of a body or one parameter. `name` is dotted where it is nested; `[]` marks the items of a list."""

    name: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True)
class Operation:
    """One method of one route; `answers` are (status, media type, fields)."""

    method: str
    path: str
    anchor: str
    description: str
    parameters: list[Field]
    body: list[Field]
    answers: list[tuple[str, str, list[Field]]]


@dataclass(frozen=True)
class Group:
    """The operations of one noun."""

    name: str
    operations: list[Operation] = field(default_factory=list)


@page()
def docs(request: HttpRequest) -> HttpResponse:
    """Every route with what it takes and answers, and every kind of refusal."""
    return render(request, "api_docs.html", {"groups": groups(), "problems": PROBLEMS})


@lru_cache(maxsize=1)
def groups() -> list[Group]:
    """The description, read once per process: routes do not change while it runs."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    found: dict[str, Group] = {}
    for path, item in schema["paths"].items():
        for method in METHODS:
            if method in item:
                name = item[method]["tags"][0]
                operation = _operation(method, path, item[method], schema["components"]["schemas"])
                found.setdefault(name, Group(name)).operations.append(operation)
    return sorted(found.values(), key=lambda group: group.name)


def _operation(method: str, path: str, said: dict[str, Any], components: dict[str, Any]) -> Operation:
    answers = []
    for status, answer in said["responses"].items():
        for media_type, content in answer.get("content", {"": {}}).items():
            if status != "default":
                answers.append((status, media_type, _fields(content.get("schema", {}), components)))
    body = said.get("requestBody", {}).get("content", {}).get("application/json", {})
    return Operation(
        method=method.upper(),
        path=path,
        anchor=said["operationId"],
        description=said.get("description", ""),
        parameters=[
            Field(each["name"], _type(each["schema"]), each.get("required", False), each.get("description", ""))
            for each in said.get("parameters", [])
        ],
        body=_fields(body.get("schema", {}), components),
        answers=answers,
    )


def _fields(schema: dict[str, Any], components: dict[str, Any], prefix: str = "", depth: int = 1) -> list[Field]:
    """The fields of a schema, each before those inside it."""
    schema = _resolved(schema, components)
    if schema.get("type") == "array":
        return _fields(schema["items"], components, f"{prefix}[]", depth)
    told = []
    for name, inner in schema.get("properties", {}).items():
        inner = _resolved(inner, components)
        where = f"{prefix}.{name}" if prefix else name
        told.append(Field(where, _type(inner), name in schema.get("required", ()), inner.get("description", "")))
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
    told = schema.get("format") or schema.get("type") or "any"
    if schema.get("type") == "array":
        told = "list"
    return f"{told}, or null" if schema.get("nullable") else str(told)
