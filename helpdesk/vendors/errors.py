"""How a call of a helpdesk can fail, in a family of our own: each says in a sentence what a leader can do.

No error holds a word of what the helpdesk sent.
"""

from datetime import timedelta


class VendorError(Exception):
    """A call failed. `sentence` says how, to a leader."""

    def __init__(self, sentence: str):
        super().__init__(sentence)
        self.sentence = sentence


class Unreachable(VendorError):
    """Nobody answered, or something broke on their side: it may go well the next time."""


class RateLimited(VendorError):
    """Too many calls for now. `pause` is how long the helpdesk wants to be left alone."""

    def __init__(self, sentence: str, pause: timedelta):
        super().__init__(sentence)
        self.pause = pause


class CredentialsRefused(VendorError):
    """The helpdesk does not accept what the connection was given (any more): nothing goes on until a person has looked."""


class Forbidden(CredentialsRefused):
    """The helpdesk knows the credentials, and they are not enough for this."""


class NotFound(VendorError):
    """The helpdesk has no such thing (any more)."""


class Garbled(VendorError):
    """What came is not what the vendor documents: half a page, a web page, a list that goes in circles."""


class NotUnderstood(Garbled):
    """The helpdesk finds fault with the question (a 4xx), as with a cursor that it does not know any more.

    Asking again in the same words changes nothing.
    """


class NotCalled(VendorError):
    """The address must not be called, or sends on to another."""


class Moved(NotCalled):
    """What was asked for is at another place of the same address, at `path`."""

    def __init__(self, sentence: str, path: str):
        super().__init__(sentence)
        self.path = path
