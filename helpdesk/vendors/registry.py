"""Which helpdesks there are, and how an account of one is opened."""

from collections.abc import Iterator
from contextlib import contextmanager

from helpdesk.models import HelpdeskConnection
from helpdesk.vendors import chatwoot, freshdesk, generic, gorgias, helpscout, intercom, zendesk
from helpdesk.vendors.contract import Client, Vendor
from helpdesk.vendors.errors import CredentialsRefused
from helpdesk.vendors.wire import Wire

VENDORS: dict[str, Vendor] = {
    module.VENDOR.name: module.VENDOR
    for module in (intercom, zendesk, freshdesk, helpscout, gorgias, chatwoot, generic)
}


@contextmanager
def open_client(connection: HelpdeskConnection) -> Iterator[Client]:
    """The account of a connection to a vendor that is read, for as long as the block runs.

    Raises CredentialsRefused where a secret is missing.
    """
    vendor = VENDORS[connection.vendor]
    kind = vendor.client
    if kind is None:
        raise ValueError(f"{vendor.label} is not read.")
    credentials = connection.credentials
    missing = [field.label for field in vendor.fields if field.is_required and not credentials.get(field.name)]
    if missing:
        raise CredentialsRefused(f"{' and '.join(missing)} cannot be read any more. Put it in again.")
    address = connection.base_url or vendor.address.default
    with Wire(address, label=vendor.label, headers=kind.headers(credentials), rest=kind.rest) as wire:
        yield kind(wire, credentials)
