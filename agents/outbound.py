"""Calls to addresses that people type into pages: over https to the public network, or to what the operator lists.

An address is looked at twice. When it is saved, by its words alone. And on each connect, when the name is resolved: every
address it stands for is checked, and the connection goes to one of those that were checked, so a name that answers another
address the next moment leads nowhere else. Redirects are not followed and no proxy of the environment is used, for both
would call somebody else than was checked. What the operator names in the environment goes the way the environment says.
"""

import ipaddress
import json
import socket
import ssl
import urllib.request
from dataclasses import dataclass
from functools import cache
from urllib.parse import SplitResult, urlsplit

import httpx2
from django.conf import settings
from django.core.exceptions import ValidationError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST = 500  # characters of an address
PORTS = {"http": 80, "https": 443}
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # a gateway makes IPv4 of it
_COMPATIBLE = ipaddress.ip_network("::/96")
# Public by its number, yet it tells a machine in that cloud the machine's own secrets.
_METADATA = ipaddress.ip_address("168.63.129.16")
_KEEP_ALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]

NOT_HTTPS = (
    "Only https addresses are called. Whoever runs Touchline can allow this one by putting {place} into OUTBOUND_ALLOW."
)
NOT_PUBLIC = (
    "This is an address inside a private network, which is not called. Whoever runs Touchline can allow it by putting {place} "
    "into OUTBOUND_ALLOW."
)


class NotCalled(httpx2.ConnectError):
    """The name leads to an address that must not be called. `sentence` says so to a leader."""

    def __init__(self, sentence: str):
        super().__init__(sentence)
        self.sentence = sentence


class NameNotFound(httpx2.ConnectError):
    """There is no such name."""


class NotTrusted(httpx2.ConnectError):
    """Somebody answered, but their TLS certificate does not fit the name, or they speak no TLS."""


@dataclass
class Witness:
    """What was seen of the last request: how the connection failed, or how the server answered. No words of either side.

    `says_not_found`: it is an error of an API, of the kind "there is no such thing", and not a web server's own.
    """

    failure: Exception | None = None
    status: int = 0
    media_type: str = ""
    says_not_found: bool = False

    def begin(self) -> None:
        self.failure, self.status, self.media_type, self.says_not_found = None, 0, "", False

    def see(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self.status == 404 and self.media_type == "application/json":
            self.says_not_found = _says_not_found(response.read())


def cleaned(typed: str) -> str:
    """The address as it is kept: no blanks around it, no slash at its end. Raises ValidationError with a sentence."""
    address = typed.strip()
    if not address:
        return ""
    if len(address) > LONGEST:
        raise ValidationError(f"An address has at most {LONGEST} characters.")
    parts = _split(address)
    if parts is None or any(not " " < letter < "\x7f" for letter in address):
        raise ValidationError("This is not an address. Give one such as https://models.example.com.")
    if parts.username is not None or parts.password is not None:
        raise ValidationError("Leave name and password out of the address.")
    if parts.query or parts.fragment:
        raise ValidationError("Leave out what stands after the path: ? and # have no meaning here.")
    place = _place(parts)
    if place not in _allowed():
        if parts.scheme != "https":
            raise ValidationError(NOT_HTTPS.format(place=place))
        host, literal = str(parts.hostname), _literal(str(parts.hostname))
        named_local = host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
        if named_local or (literal is not None and not is_public(literal)):
            raise ValidationError(NOT_PUBLIC.format(place=place))
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public network, also where it is an IPv4 address in the clothes of an IPv6 one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if not inner and (address in _TRANSLATED or address in _COMPATIBLE):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and address != _METADATA


def is_allowed(address: str) -> bool:
    """Whether the operator named the host and port of this address in OUTBOUND_ALLOW."""
    parts = _split(address)
    return parts is not None and _place(parts) in _allowed()


@cache
def certificates() -> ssl.SSLContext:
    """Whom TLS trusts. Reading that takes tens of milliseconds: once a process, not once a client."""
    return httpx2.create_ssl_context()


def client(tls: ssl.SSLContext, *, guarded: bool, witness: Witness | None = None) -> httpx2.Client:
    """An HTTP client to be closed by the caller. `guarded`: its address was typed into a page and is checked on each connect."""
    witness = witness or Witness()
    if not guarded and urllib.request.getproxies():
        return httpx2.Client(verify=tls, follow_redirects=False, event_hooks={"response": [witness.see]})
    transport = _Transport(tls, guarded=guarded, witness=witness)
    return httpx2.Client(transport=transport, follow_redirects=False, trust_env=False)


class _Transport(httpx2.BaseTransport):
    """Resolves names itself, and connects to what it has checked."""

    def __init__(self, tls: ssl.SSLContext, *, guarded: bool, witness: Witness):
        self.below = httpx2.HTTPTransport(verify=tls, trust_env=False, socket_options=_KEEP_ALIVE)
        self.guarded = guarded
        self.witness = witness

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.witness.begin()
        try:
            response = self._answer(request)
            self.witness.see(response)
        except Exception as error:
            self.witness.failure = error
            raise
        return response

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.raw_host.decode("ascii")
        port = request.url.port or PORTS[request.url.scheme]
        found = _resolved(host, port)
        if self.guarded and f"{_bracketed(host)}:{port}" not in _allowed():
            _check(request.url.scheme, f"{_bracketed(host)}:{port}", found)
        # The name stays in the Host header, and is what the certificate must be for.
        request.extensions = {**request.extensions, "sni_hostname": host}
        for number, address in enumerate(found, start=1):
            request.url = request.url.copy_with(host=str(address))
            try:
                return self.below.handle_request(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                if isinstance(_origin(error), ssl.SSLError):
                    raise NotTrusted("The server's TLS certificate was not accepted.") from error
                if number == len(found):
                    raise
        raise NameNotFound("The name has no address.")

    def close(self) -> None:
        self.below.close()


def _says_not_found(body: bytes) -> bool:
    try:
        told = json.loads(body)
    except ValueError:
        return False
    error = told.get("error", told) if isinstance(told, dict) else None
    if not isinstance(error, dict):
        return False
    kinds = f"{error.get('type')} {error.get('code')}"
    return "notfound" in kinds.replace("_", "").lower()


def _check(scheme: str, place: str, found: list[Address]) -> None:
    if scheme != "https":
        raise NotCalled(NOT_HTTPS.format(place=place))
    if not all(is_public(address) for address in found):
        raise NotCalled(NOT_PUBLIC.format(place=place))


def _resolved(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NameNotFound("The name of the server was not found.") from None
    addresses = [ipaddress.ip_address(str(where[0]).partition("%")[0]) for *_, where in found]
    return list(dict.fromkeys(addresses))


def _origin(error: BaseException) -> BaseException:
    """What a chain of exceptions began with."""
    seen = error
    while (earlier := seen.__cause__ or seen.__context__) is not None:
        seen = earlier
    return seen


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        return parts if parts.scheme in PORTS and parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _place(parts: SplitResult) -> str:
    return f"{_bracketed(str(parts.hostname))}:{parts.port or PORTS[parts.scheme]}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _literal(host: str) -> Address | None:
    """The address that a host is in any of the ways to write one, `2130706433` and `127.1` among them; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _allowed() -> set[str]:
    return {place.strip().lower() for place in settings.OUTBOUND_ALLOW}
