"""The methods that post, change and take away messages, and open forms (https://docs.slack.dev/reference/methods)."""

import time

from tests.slack import limits
from tests.slack.asked import Asked, Refused
from tests.slack.world import Ephemeral, Message, View, new_id, new_ts


def written(message: Message, *, with_metadata: bool = True) -> dict:
    told = {"type": "message", "user": message.user, "text": message.text, "ts": message.ts, "blocks": message.blocks}
    told |= {"thread_ts": message.thread_ts} if message.thread_ts else {}
    told |= {"bot_id": message.bot_id, "app_id": message.app_id} if message.bot_id else {}
    told |= {"edited": {"user": message.user, "ts": message.ts}} if message.is_edited else {}
    return told | ({"metadata": message.metadata} if with_metadata and message.metadata else {})


def post_message(asked: Asked) -> dict:
    asked.needs("chat:write")
    channel = asked.channel(posts=True)
    text, blocks = asked.content()
    thread_ts = asked.arguments.get("thread_ts") or None
    if thread_ts is not None and channel.find(thread_ts) is None:
        raise Refused("thread_not_found")
    metadata = asked.arguments.get("metadata")
    if metadata is not None and not (metadata.get("event_type") and isinstance(metadata.get("event_payload"), dict)):
        raise Refused("invalid_metadata_format")
    asked.slack.note_pace(asked.app, channel)
    app = asked.app
    message = Message(channel, new_ts(), text, app.bot_user_id, blocks, thread_ts, metadata, app.bot_id, app.app_id)
    message.arguments = asked.arguments
    channel.add(message)
    return {"channel": channel.id, "ts": message.ts, "message": written(message)}


def update(asked: Asked) -> dict:
    asked.needs("chat:write")
    channel = asked.channel(posts=True)
    message = channel.find(asked.text("ts", "message_not_found"))
    if message is None:
        raise Refused("message_not_found")
    if message.app_id != asked.app.app_id:
        raise Refused("cant_update_message")
    text, blocks = asked.content(is_update=True)
    message.shown.append((message.text, message.blocks))
    message.text, message.blocks, message.is_edited = text, blocks, True
    message.metadata = asked.arguments.get("metadata") or message.metadata
    return {"channel": channel.id, "ts": message.ts, "text": text, "message": written(message)}


def delete(asked: Asked) -> dict:
    asked.needs("chat:write")
    channel = asked.channel(posts=True)
    message = channel.find(asked.text("ts", "message_not_found"))
    if message is None:
        raise Refused("message_not_found")
    if message.app_id != asked.app.app_id:
        raise Refused("cant_delete_message")
    message.is_deleted = True
    return {"channel": channel.id, "ts": message.ts}


def post_ephemeral(asked: Asked) -> dict:
    asked.needs("chat:write")
    channel = asked.channel(posts=True)
    user = asked.team.users.get(asked.text("user", "user_not_in_channel"))
    if user is None or (channel.of is not None and channel.of is not user):
        raise Refused("user_not_in_channel")
    text, blocks = asked.content()
    user.ephemerals.append(Ephemeral(channel, text, blocks, asked.arguments.get("thread_ts") or None))
    return {"message_ts": new_ts()}


def get_permalink(asked: Asked) -> dict:
    channel = asked.channel()
    message = channel.find(asked.text("message_ts", "message_not_found"))
    if message is None:
        raise Refused("message_not_found")
    address = f"https://{asked.team.name.lower()}.slack.example/archives/{channel.id}/p{message.ts.replace('.', '')}"
    return {"channel": channel.id, "permalink": address}


def views_open(asked: Asked) -> dict:
    content = asked.arguments.get("view")
    if found := limits.view_problems(content):
        raise Refused("invalid_arguments", response_metadata={"messages": found})
    user = asked.slack.exchange(asked.text("trigger_id"))
    view = View(new_id("V"), user, asked.app, content, hash=f"{time.time()}.played")
    user.views.append(view)
    return {"view": content | {"id": view.id, "hash": view.hash, "app_id": asked.app.app_id}}


def views_update(asked: Asked) -> dict:
    content = asked.arguments.get("view")
    if found := limits.view_problems(content):
        raise Refused("invalid_arguments", response_metadata={"messages": found})
    for user in asked.team.users.values():
        for view in user.views:
            if view.id == asked.text("view_id", "not_found") and view.is_open:
                view.content, view.hash = content, f"{time.time()}.played"
                return {"view": content | {"id": view.id, "hash": view.hash}}
    raise Refused("not_found")
