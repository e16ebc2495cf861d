"""How a call of Slack can fail, in a family of our own: each says in a sentence what it means to people.

Which word of Slack's belongs where follows the lists of errors at https://docs.slack.dev/reference/methods (chat.postMessage,
chat.update, chat.delete, conversations.replies, users.info), and that of incoming webhooks. No error holds a word of a message.
"""


class SlackError(Exception):
    """A call failed. `sentence` says how, to a leader."""

    def __init__(self, sentence: str):
        super().__init__(sentence)
        self.sentence = sentence


class Throttled(SlackError):
    """Too many calls for now. `seconds` is how long Slack wants to be left alone with this method."""

    def __init__(self, seconds: float):
        super().__init__("Slack asks to be called less often.")
        self.seconds = seconds


class Unreachable(SlackError):
    """Nobody answered, or no Slack did: it may go well the next time.

    `may_have_arrived`: the request may have been carried out all the same, so a message may be there.
    """

    def __init__(self, sentence: str, *, may_have_arrived: bool):
        super().__init__(sentence)
        self.may_have_arrived = may_have_arrived


class NobodyAnswers(Unreachable):
    """Slack was not asked, for it did not answer a moment ago, or somebody else is trying whether it does again."""

    def __init__(self, seconds: float):
        super().__init__("Slack cannot be reached.", may_have_arrived=False)
        self.seconds = seconds


class Broken(SlackError):
    """Slack answered that something broke on its side. Some of what was asked may have been done."""


class Revoked(SlackError):
    """Slack does not accept the token (any more): nothing goes on until a person connects again."""


class ChannelLost(SlackError):
    """The channel is gone, archived or closed to us."""


class MessageGone(SlackError):
    """The message to be changed or answered is not there (any more), or must not be changed."""


class TooLong(SlackError):
    """Slack does not take a message of this length or shape."""


class Declined(SlackError):
    """Slack said no for another reason. `code` is Slack's word for it."""

    def __init__(self, code: str):
        super().__init__(DECLINED.get(code, f"Slack declined ({code})."))
        self.code = code


REVOKED = {
    "account_inactive": "The app was removed from this Slack workspace. Connect it again.",
    "invalid_auth": "Slack does not accept the bot's token. Connect again with a new one.",
    "not_allowed_token_type": "Slack does not accept this kind of token. Connect again with the bot's token (xoxb-…).",
    "not_authed": "Slack does not accept the bot's token. Connect again with a new one.",
    "org_login_required": "This Slack workspace moved to an organisation. Connect it again.",
    "team_access_not_granted": "The app may not be used in this Slack workspace any more. Connect it again.",
    "team_not_found": "Slack does not know this workspace any more. Connect it again.",
    "token_expired": "The bot's token has expired. Connect again with a new one.",
    "token_revoked": "The bot's token was revoked. Connect again with a new one.",
    "user_removed_from_team": "The app was removed from this Slack workspace. Connect it again.",
}
CHANNEL_LOST = {
    "channel_not_found": "Slack does not know this channel, or the app is not in it.",
    "channel_type_not_supported": "The app cannot post in this kind of channel.",
    "ekm_access_denied": "An administrator of Slack has suspended posting there.",
    "is_archived": "The channel is archived.",
    "messages_tab_disabled": "The app's direct messages are switched off in Slack.",
    "not_in_channel": "The app is not in this channel. Invite it there.",
    "restricted_action": "A setting of Slack keeps the app from posting in this channel.",
    "restricted_action_non_threadable_channel": "Nobody can answer in a thread in this channel.",
    "restricted_action_read_only_channel": "Nobody can post in this channel.",
    "restricted_action_thread_only_channel": "In this channel messages can only be posted in threads.",
}
MESSAGE_GONE = {
    "cannot_reply_to_message": "The thread cannot be answered any more.",
    "cant_delete_message": "Slack does not let the app delete the message.",
    "cant_update_message": "Slack does not let the app change the message.",
    "edit_window_closed": "Slack does not let a message of this age be changed.",
    "is_inactive": "Slack does not let the message be changed any more.",
    "message_not_found": "The message was deleted in Slack.",
    "restricted_action_thread_locked": "The thread was locked in Slack.",
    "thread_not_found": "The thread was deleted in Slack.",
}
TOO_LONG = {
    "block_mismatch", "invalid_blocks", "invalid_blocks_format", "invalid_payload", "metadata_too_large",
    "msg_blocks_too_long", "msg_too_long",
}  # fmt: skip
BROKEN = {"fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"}
THROTTLED = {"message_limit_exceeded", "rate_limited", "ratelimited"}
WEBHOOK_GONE = "The incoming webhook does not work any more. Make a new one in Slack and put it in."
DECLINED = {
    "action_prohibited": WEBHOOK_GONE,
    "channel_is_archived": "The channel of the incoming webhook is archived.",
    "invalid_token": WEBHOOK_GONE,
    "missing_scope": "The app's token lacks a permission. Compare the app with the manifest and install it again.",
    "no_active_hooks": WEBHOOK_GONE,
    "no_service": WEBHOOK_GONE,
    "no_service_id": WEBHOOK_GONE,
    "no_team": WEBHOOK_GONE,
    "user_not_found": "Slack does not know this person.",
}


def of(code: str, *, seconds: float) -> SlackError:
    """The error that Slack's word `code` stands for; `seconds` is how long to wait where it says to."""
    if code in THROTTLED:
        return Throttled(seconds)
    if code in BROKEN:
        return Broken("Something broke at Slack.")
    if code in TOO_LONG:
        return TooLong("Slack does not take a message of this length or shape.")
    for words, kind in ((REVOKED, Revoked), (CHANNEL_LOST, ChannelLost), (MESSAGE_GONE, MessageGone)):
        if code in words:
            return kind(words[code])
    return Declined(code)
