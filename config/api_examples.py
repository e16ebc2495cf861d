"""The titles and the examples of the API's description: what a request and its answer look like with real-looking values.

`complete` is the generator's last step. Bodies are written here one by one; answers are put together from their schema, each
field by its name. What has no value of its own is shown by its type, so that a new field is never without an example.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

PERSON, ASSISTANT = "Sarah", "Refunds assistant"
LEADER = {"id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "name": "Maya"}
AN_ID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
IDS = {
    "agentId": "0b7c1c52-3f8e-4a57-9d44-5a1c4e0e8f10",
    "conversation": "d0c1a9b2-6c0e-4b7a-8d3f-1f2e3d4c5b6a",
    "sampleId": "5e2f9a34-1b6d-4c8e-9f70-2a3b4c5d6e7f",
    "proposal": "91d3f1c7-8a52-4e0b-b6f4-6c7d8e9fa0b1",
    "targetId": "aa11bb22-cc33-4d44-8e55-ff6677889900",
    "target": "aa11bb22-cc33-4d44-8e55-ff6677889900",
}

SUMMARIES = {
    "agents_list": "List agents",
    "agents_create": "Add an agent",
    "agents_retrieve": "Read an agent",
    "agents_partial_update": "Change an agent or its prompt",
    "agents_configuration_retrieve": "Read what an AI agent is told",
    "agents_export_retrieve": "Export a configuration as files",
    "agents_imports_create": "Plan an import",
    "agents_memories_list": "List the memories of an agent",
    "agents_memories_create": "Add a memory",
    "agents_memories_search_create": "Search memories",
    "agents_procedures_list": "List the procedures of an agent",
    "agents_procedures_create": "Add a procedure",
    "agents_trajectory_retrieve": "Read 26 weeks of CSAT",
    "agents_versions_list": "List configuration numbers",
    "coach_sessions_list": "List talks with coaches",
    "coach_sessions_create": "Start a talk with a coach",
    "coach_sessions_retrieve": "Read a talk",
    "coach_sessions_events_retrieve": "Follow a talk",
    "coach_sessions_messages_create": "Ask the coach",
    "coach_sessions_turns_retry_create": "Ask a failed question again",
    "coach_sessions_turns_stop_create": "Stop an answer",
    "coaching_retrieve": "Read somebody's drawer",
    "coaching_follow_ups_retrieve": "List follow-ups",
    "coaching_follow_ups.ics_retrieve": "Read follow-ups as a calendar",
    "coaching_notes_create": "Write a note",
    "coaching_notes_retrieve": "Read a note",
    "coaching_notes_partial_update": "Edit or share a note",
    "coaching_notes_destroy": "Archive a note",
    "coaching_samples_create": "Pin a conversation",
    "coaching_samples_retrieve": "Read a sample",
    "coaching_samples_destroy": "Unpin a sample",
    "conversations_list": "List conversations",
    "conversations_create": "Send a conversation",
    "conversations_retrieve": "Read a conversation",
    "conversations_transcript_retrieve": "Read a transcript",
    "decisions_list": "Read the decision log",
    "deeplinks_list": "List deep links",
    "deeplinks_update": "Set the deep link of a source",
    "flags_list": "List flags",
    "flags_create": "Flag somebody by hand",
    "flags_retrieve": "Read a flag",
    "flags_partial_update": "Say what was behind a flag",
    "flags_coached_create": "Tick a flag off as coached",
    "flags_coached_destroy": "Take that tick back",
    "flags_dismiss_create": "Dismiss a flag",
    "flags_reopen_create": "Take a dismissal back",
    "imports_retrieve": "Read an import",
    "imports_apply_create": "Carry out an import",
    "imports_discard_create": "Discard an import",
    "memories_retrieve": "Read a memory",
    "memories_partial_update": "Change a memory",
    "memories_destroy": "Remove a memory",
    "memories_restore_create": "Bring a memory back",
    "memories_versions_list": "List the versions of a memory",
    "procedures_retrieve": "Read a procedure",
    "procedures_partial_update": "Change a procedure",
    "procedures_destroy": "Remove a procedure",
    "procedures_restore_create": "Bring a procedure back",
    "procedures_versions_list": "List the versions of a procedure",
    "proposals_list": "List proposals",
    "proposals_create": "Propose a change",
    "proposals_retrieve": "Read a proposal",
    "proposals_approve_create": "Approve a proposal",
    "proposals_rebase_create": "Bring a proposal up to date",
    "proposals_reject_create": "Reject a proposal",
    "proposals_revert_create": "Take an approved change back",
    "proposals_decide_create": "Decide on several proposals",
    "ratings_create": "Send ratings",
}

# What a field shows in an answer, by "Component.field" or by its name alone; None by the longer name leaves the field out.
VALUES: dict[str, Any] = {
    "about": "Parcel 4711 never arrived",
    "accepted": 1,
    "accountPattern": "",
    "active": True,
    "agent": PERSON,
    "archivedAt": None,
    "approvedChange": None,
    "baseVersion": 3,
    "body": "Reads too fast on chat. Try one question at a time; look at two conversations together on Tuesday.",
    "cacheCreationTokens": 0,
    "cacheReadTokens": 5120,
    "capturedBy": LEADER,
    "cause": None,
    "channel": "chat",
    "closedAt": None,
    "closedBy": None,
    "closeEvidence": {},
    "closeReason": "",
    "coachedAt": None,
    "coachedBy": None,
    "coaching": False,
    "configurationVersion": 12,
    "content": "1. Look the order up.\n2. Say when the parcel was handed over.\n3. Offer a replacement after five days.",
    "conversationPattern": "https://desk.example/tickets/{id}",
    "conversations": 2,
    "decidedAt": None,
    "decidedBy": None,
    "decidedFrom": None,
    "detail": "value: 7 is not on the scale stars5.",
    "evidence": {"ratings": 38, "expected": 88.2, "observed": 74.1, "weeks": 5},
    "expected": 88.2,
    "expiresAt": None,
    "externalId": "4711",
    "externalIds": {"desk": "1093"},
    "feedUrl": "https://touchline.example/api/v1/coaching/follow-ups.ics?key=…",
    "field": "text",
    "fileName": "refunds-assistant.zip",
    "finishedAt": None,
    "focus": None,
    "folder": "Delivery",
    "how": None,
    "hash": "9f2c1f0b7be0c7e9f2f6a6d5f0f1c6a1b8a0f4d3c2e1b0a9f8e7d6c5b4a39281",
    "inputTokens": 6120,
    "isStale": False,
    "keys": {},
    "latencyMs": 5400,
    "memoryBaseVersion": 7,
    "message": True,
    "model": "claude-sonnet-4-5",
    "n": 9,
    "name": PERSON,
    "new": "No approval and no ticket is needed.",
    "nextCursor": None,
    "note": "",
    "old": "Refunds need an approval.",
    "openedBy": None,
    "outputTokens": 410,
    "path": "memories/refunds-within-30-days.md",
    "previousHash": "1b0a9f8e7d6c5b4a392819f2c1f0b7be0c7e9f2f6a6d5f0f1c6a1b8a0f4d3c2e",
    "progress": 0,
    "promptVersion": 4,
    "proposalType": "memory_entry_update",
    "quote": "I have asked for my refund three times now.",
    "rationale": "Customers were sent to a form that no longer exists.",
    "reason": "",
    "reasons": [],
    "replaces": None,
    "resultVersion": None,
    "retentionDays": 90,
    "retryOf": None,
    "revertedBy": None,
    "reverts": None,
    "scale": "stars5",
    "score": 74.1,
    "sentence": "In the last 5 weeks Sarah's 38 ratings average 3.9; their own previous 21 weeks and what their team got "
    "in these weeks point to 4.5.",
    "session": None,
    "sharedWithAgent": False,
    "source": "desk",
    "state": "done",
    "suggestions": ["Is this a pattern?"],
    "summary": "Refunds within 30 days are processed automatically.",
    "summaryState": "captured",
    "supersededBy": None,
    "systemPrompt": "You answer customers of Harbour Bikes. You are friendly, brief and exact.",
    "targetKind": "memory",
    "team": "Billing",
    "text": "No approval and no ticket is needed.",
    "title": "Refunds within 30 days are processed automatically.",
    "trigger": "A customer asks where their parcel is.",
    "turnCount": 6,
    "type": "memory_entry_update",
    "url": "https://desk.example/tickets/4711",
    "value": 2,
    "version": 3,
    "ChangeSent.active": None,
    "ChangeSent.content": None,
    "ChangeSent.folder": None,
    "ChangeSent.name": None,
    "ChangeSent.systemPrompt": None,
    "ChangeSent.trigger": None,
    "ConversationShown.agent": ASSISTANT,
    "ConversationShown.closedAt": 1_790_000_000_000,
    "Csat.score": 25,
    "Decided.error": None,
    "DecisionShown.agent": ASSISTANT,
    "DecisionShown.decidedFrom": "page",
    "DecisionShown.resultVersion": 4,
    "ConfigurationShown.agent": ASSISTANT,
    "EventShown.error": None,
    "EventShown.text": "The customer asked three times.",
    "EventShown.name": "read_conversation",
    "EvidenceShown.message": None,
    "FieldChanged.lines": None,
    "Found.score": 0.82,
    "ImportShown.agent": ASSISTANT,
    "ImportShown.error": "",
    "LineShown.gap": None,
    "MessageShown.text": "What went wrong here?",
    "Decider.name": "Maya",
    "Point.team": 89.5,
    "ProcedureShown.name": "Where is my parcel",
    "ProcedureTold.name": "Where is my parcel",
    "ProcedureVersion.name": "Where is my parcel",
    "ProposalInFull.agent": ASSISTANT,
    "ProposalInFull.conflict": None,
    "ProposalReverted.agent": ASSISTANT,
    "ProposalReverted.conflict": None,
    "ProposalShown.agent": ASSISTANT,
    "SampleShown.summary": "The customer asked three times for a refund that was promised within two days.",
    "SampleShown.closedAt": 1_790_000_000_000,
    "SampleShown.csat": 2,
    "SessionInFull.agent": ASSISTANT,
    "SessionShown.agent": ASSISTANT,
    "StepShown.kind": "memory",
    "StepShown.outcome": None,
    "TranscriptTurnShown.text": "I have asked for my refund three times now.",
    "TranscriptTurnShown.name": "Kim",
    "TurnShown.error": None,
}
REFUSALS = {
    "400": (
        "refused-fields",
        "followUpAt: A follow-up lies ahead.",
        {"errors": {"followUpAt": ["A follow-up lies ahead."]}},
    ),
    "401": ("", "This token is unknown, revoked or expired.", {}),
    "403": ("", "Only owners and admins of this workspace may write notes and look after flags.", {}),
    "404": ("", "There is nothing here under this address.", {}),
    "409": ("archived", "This note is archived. Restore it to change it.", {}),
    "411": ("", "Send the body with a Content-Length, not in chunks.", {}),
    "413": ("", "The body is larger than 10 MB.", {}),
    "415": ("", 'Unsupported media type "text/plain" in request. Most routes read application/json.', {}),
    "default": ("", 'Method "PUT" not allowed.', {}),
}
TITLES = {
    "401": "Unauthorized", "403": "Forbidden", "404": "Not Found", "411": "Length Required",
    "413": "Request Entity Too Large", "415": "Unsupported Media Type", "default": "Method Not Allowed",
}  # fmt: skip
DEEPEST = 6


def bodies(now: datetime) -> dict[str, Any]:
    """{operation id: a body}, with times around `now`."""
    then, ahead = milliseconds(now - timedelta(hours=3)), milliseconds(now + timedelta(days=7))
    return {
        "agents_create": {"name": "Wren", "kind": "human", "team": "Billing", "externalIds": {"desk": "1093"}},
        "agents_partial_update": {"team": "Billing"},
        "agents_memories_create": {
            "summary": "Refunds within 30 days are processed automatically.",
            "text": "No approval and no ticket is needed.",
        },
        "agents_memories_search_create": {"query": "how long can a refund take", "limit": 5, "includeText": True},
        "agents_procedures_create": {
            "name": "Where is my parcel",
            "trigger": "A customer asks where their parcel is.",
            "content": "1. Look the order up.\n2. Say when the parcel was handed over.",
        },
        "coach_sessions_create": {"agent": ASSISTANT},
        "coach_sessions_messages_create": {"text": "What went wrong here?"},
        "coach_sessions_turns_retry_create": {},
        "coach_sessions_turns_stop_create": {},
        "coaching_notes_create": {
            "agent": PERSON,
            "body": "Reads too fast on chat. Try one question at a time.",
            "followUpAt": ahead,
            "sharedWithAgent": False,
        },
        "coaching_notes_partial_update": {"sharedWithAgent": True},
        "coaching_samples_create": {"source": "desk", "externalId": "4711", "agent": PERSON},
        "conversations_create": {
            "externalId": "chat-4711",
            "agent": ASSISTANT,
            "closedAt": then,
            "channel": "chat",
            "csat": {"value": 2, "scale": "stars5", "ratedAt": then},
            "transcript": [
                {"role": "customer", "text": "I have asked for my refund three times now."},
                {"role": "agent", "text": "I am sorry about that. It was approved this morning."},
            ],
        },
        "deeplinks_update": {"source": "desk", "conversationPattern": "https://desk.example/tickets/{id}"},
        "flags_create": {"agent": PERSON, "reason": "Three escalations this week."},
        "flags_partial_update": {"cause": "tool"},
        "flags_coached_create": {},
        "flags_dismiss_create": {"reason": "A change of the refund policy, not of the person."},
        "flags_reopen_create": {},
        "imports_apply_create": {"how": "proposals"},
        "imports_discard_create": {},
        "memories_partial_update": {"baseVersion": 1, "text": "No approval and no ticket is needed."},
        "memories_restore_create": {},
        "procedures_partial_update": {"baseVersion": 1, "active": False},
        "procedures_restore_create": {},
        "proposals_create": {
            "agent": ASSISTANT,
            "type": "memory_entry_create",
            "change": {"summary": "Parcels are handed over at noon.", "text": "On working days, at the counter."},
            "rationale": "Customers ask for it every day.",
        },
        "proposals_approve_create": {"note": "Checked with the warehouse."},
        "proposals_reject_create": {"reason": "The warehouse says otherwise."},
        "proposals_rebase_create": {},
        "proposals_revert_create": {"note": "It made answers longer."},
        "proposals_decide_create": {"verdict": "rejected", "ids": [AN_ID], "note": "Not now."},
        "ratings_create": {
            "items": [
                {
                    "source": "desk",
                    "externalId": "4711",
                    "agent": PERSON,
                    "value": 2,
                    "scale": "stars5",
                    "ratedAt": then,
                }
            ]
        },
    }


def milliseconds(at: datetime) -> int:
    """The full hour of `at` in epoch milliseconds."""
    return int(at.astimezone(UTC).replace(minute=0, second=0, microsecond=0).timestamp() * 1000)


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Give every operation of the description its title, and every JSON body and answer an example."""
    now = timezone.now()
    shown, components = bodies(now), result["components"]["schemas"]
    for item in result["paths"].values():
        for operation in item.values():
            name = operation["operationId"]
            operation["summary"] = SUMMARIES.get(name) or name.replace("_", " ").capitalize()
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None:
                body["example"] = shown[name] if name in shown else example(body["schema"], components, now)
            for status, answer in operation["responses"].items():
                for media_type, content in answer.get("content", {}).items():
                    if media_type == "application/problem+json":
                        content["example"] = refusal(status)
                    elif media_type == "application/json":
                        content["example"] = example(content["schema"], components, now)
    return result


def refusal(status: str) -> dict[str, Any]:
    """A refusal with this status, as problem+json."""
    kind, detail, more = REFUSALS[status]
    return {
        "type": f"/api/v1/docs#problem-{kind}" if kind else "about:blank",
        "title": kind.replace("-", " ").capitalize() if kind else TITLES[status],
        "status": 405 if status == "default" else int(status),
        "detail": detail,
    } | more


def example(schema: dict[str, Any], components: dict[str, Any], now: datetime, name: str = "", depth: int = 0) -> Any:
    """A value that fits `schema`, the value of the field `name` where it stands in an object."""
    component = ""
    while True:
        inner = schema.get("$ref") or next((each["$ref"] for each in schema.get("allOf", ()) if "$ref" in each), None)
        if inner is None:
            break
        component = inner.rpartition("/")[2]
        schema = components[component]
    if "enum" in schema:
        return schema["enum"][0]
    if "oneOf" in schema and "type" not in schema:
        return example(schema["oneOf"][0], components, now, name, depth)
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        return {
            field: _value(field, told, component, components, now, depth)
            for field, told in schema["properties"].items()
            if f"{component}.{field}" not in VALUES or VALUES[f"{component}.{field}"] is not None
        }
    if kind == "array":
        return [] if depth > DEEPEST else [example(schema["items"], components, now, name, depth + 1)]
    if kind == "integer":
        if schema.get("format") == "int64" or "epoch milliseconds" in schema.get("description", ""):
            return milliseconds(now + timedelta(days=7 if name in ("followUpAt", "expiresAt") else -1))
        return max(1, schema.get("minimum", 1))
    plain: dict[Any, Any] = {"boolean": True, "number": 74.1, "object": {}}
    if kind == "string":
        return IDS.get(name, AN_ID) if schema.get("format") == "uuid" else "Text."
    return plain.get(kind)


def _value(field, schema, component, components, now, depth):
    if schema.get("type") == "object" and set(schema.get("properties", ())) == {"id", "name"}:
        return LEADER if VALUES.get(field, LEADER) is not None or not schema.get("nullable") else None
    for key in (f"{component}.{field}", field):
        if key in VALUES and _fits(VALUES[key], schema, components):
            return VALUES[key]
    return example(schema, components, now, field, depth + 1)


def _fits(value, schema, components):
    """Whether a value by name is one for this field: the same name means other things elsewhere."""
    if value is None:
        return bool(schema.get("nullable"))
    while "$ref" in schema or "allOf" in schema:
        schema = components[(schema.get("$ref") or schema["allOf"][0]["$ref"]).rpartition("/")[2]]
    if "enum" in schema:
        return value in schema["enum"]
    if schema.get("format") == "uuid":
        return False
    kinds: dict[str, Any] = {
        "string": str,
        "boolean": bool,
        "integer": int,
        "number": (int, float),
        "object": dict,
        "array": list,
    }
    kind = schema.get("type")
    if kind is None:
        return True
    return isinstance(value, kinds[kind]) and (kind == "boolean") == isinstance(value, bool)
