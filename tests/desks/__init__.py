"""Helpdesks on loopback: one world, played over each vendor's API with its paging, limits and errors.

DESKS holds one of each vendor that is read; tests/helpdesk/vendors/test_contract.py asks all of them the same. What such a
desk has to have stands at tests.desks.server.Desk.
"""

from tests.desks.chatwoot import Chatwoot
from tests.desks.freshdesk import Freshdesk
from tests.desks.gorgias import Gorgias
from tests.desks.helpscout import HelpScout
from tests.desks.intercom import Intercom
from tests.desks.server import Desk
from tests.desks.zendesk import Zendesk

DESKS: dict[str, type[Desk]] = {
    desk.vendor: desk for desk in (Intercom, Zendesk, Freshdesk, HelpScout, Gorgias, Chatwoot)
}
