"""Addresses that people type in: what may be named, and where a connection really goes."""

import ipaddress
import socket
import ssl

import httpx2
import pytest
from django.core.exceptions import ValidationError

from agents import outbound
from tests import model_server

PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200", "0.0.0.0", "224.0.0.1",
    "168.63.129.16", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
]  # fmt: skip
PUBLIC = ["93.184.216.34", "1.1.1.1", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", PRIVATE)
def test_address_of_a_private_network_is_not_public_in_any_clothes(address):
    assert not outbound.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_address_of_the_public_network(address):
    assert outbound.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("", ""),
        (" https://models.example.com/ ", "https://models.example.com"),
        ("HTTPS://Models.Example.com:8443/Path/", "https://models.example.com:8443/Path"),
        ("https://[2606:2800:220:1::1]", "https://[2606:2800:220:1::1]"),
        ("http://127.0.0.1:8080/a", "http://127.0.0.1:8080/a"),
        ("https://models.internal", "https://models.internal"),
        ("http://[::1]:9000", "http://[::1]:9000"),
    ],
)
def test_address_as_it_is_kept(typed, kept, settings):
    settings.OUTBOUND_ALLOW = ["127.0.0.1:8080", "Models.internal:443", " [::1]:9000 "]

    assert outbound.cleaned(typed) == kept


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("models.example.com", "This is not an address. Give one such as https://models.example.com."),
        ("https://", "This is not an address. Give one such as https://models.example.com."),
        ("https://models.example.com:port", "This is not an address. Give one such as https://models.example.com."),
        ("https://models.example.com/a b", "This is not an address. Give one such as https://models.example.com."),
        ("https://mödels.example.com", "This is not an address. Give one such as https://models.example.com."),
        ("https://[::1", "This is not an address. Give one such as https://models.example.com."),
        ("file:///etc/passwd", "This is not an address. Give one such as https://models.example.com."),
        ("https://you@models.example.com", "Leave name and password out of the address."),
        ("https://models.example.com/?a=1", "Leave out what stands after the path: ? and # have no meaning here."),
        ("https://" + "m" * 500, "An address has at most 500 characters."),
        ("http://models.example.com", outbound.NOT_HTTPS.format(place="models.example.com:80")),
        ("http://127.0.0.1:8081", outbound.NOT_HTTPS.format(place="127.0.0.1:8081")),
        ("https://127.0.0.1:8081", outbound.NOT_PUBLIC.format(place="127.0.0.1:8081")),
        ("https://2130706433", outbound.NOT_PUBLIC.format(place="2130706433:443")),
        ("https://0x7f.1", outbound.NOT_PUBLIC.format(place="0x7f.1:443")),
        ("https://[::ffff:10.0.0.1]", outbound.NOT_PUBLIC.format(place="[::ffff:10.0.0.1]:443")),
        ("https://localhost", outbound.NOT_PUBLIC.format(place="localhost:443")),
        ("https://metadata.google.internal", outbound.NOT_PUBLIC.format(place="metadata.google.internal:443")),
    ],
)
def test_address_that_is_not_called_says_why(typed, sentence, settings):
    settings.OUTBOUND_ALLOW = ["127.0.0.1:8080"]

    with pytest.raises(ValidationError) as refused:
        outbound.cleaned(typed)

    assert refused.value.messages == [sentence]


# --- On connect


@pytest.fixture
def names(monkeypatch):
    """{name: [addresses of the first look, of the second, …]}: what name servers say. `asked` counts the looks."""
    led, real, asked = {}, socket.getaddrinfo, []

    def resolve(host, port, *args, **kwargs):
        if host not in led:
            return real(host, port, *args, **kwargs)
        asked.append(host)
        found = led[host][min(len(asked), len(led[host])) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    led["asked"] = asked
    return led


@pytest.fixture
def call():
    """A function: address -> its answer, by a guarded client."""
    client = outbound.client(ssl.create_default_context(), guarded=True)
    yield lambda url: client.post(url, json={})
    client.close()


def test_name_is_looked_up_once_and_the_connection_goes_to_what_was_checked(names, call, settings):
    """A name that answers something else the next moment leads nowhere else."""
    with model_server.serving([model_server.status(401)]) as server:
        port = server.server_address[1]
        settings.OUTBOUND_ALLOW = [f"models.example.com:{port}"]
        names["models.example.com"] = [["127.0.0.1"], ["192.0.2.1"]]

        assert call(f"http://models.example.com:{port}").status_code == 401

    assert names["asked"] == ["models.example.com"]
    assert server.headers[0]["Host"] == f"models.example.com:{port}"


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"]])
def test_name_with_a_private_address_is_not_called_at_all(names, call, monkeypatch, found):
    names["models.example.com"] = [found]
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: pytest.fail("it was called"))

    with pytest.raises(outbound.NotCalled) as refused:
        call("https://models.example.com")

    assert refused.value.sentence == outbound.NOT_PUBLIC.format(place="models.example.com:443")


def test_next_address_of_a_name_is_tried_where_one_does_not_answer(names, call, settings):
    with model_server.serving([model_server.status(401)]) as server:
        port = server.server_address[1]
        settings.OUTBOUND_ALLOW = [f"models.example.com:{port}"]
        names["models.example.com"] = [["127.0.0.9", "127.0.0.1"]]

        assert call(f"http://models.example.com:{port}").status_code == 401


def test_redirect_is_not_followed(call, settings):
    with model_server.serving([model_server.status(307, location="http://127.0.0.1:1/")]) as server:
        settings.OUTBOUND_ALLOW = [server.url.removeprefix("http://")]

        assert call(server.url).status_code == 307


def test_proxy_of_the_environment_is_not_used(call, settings, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with model_server.serving([model_server.status(401)]) as server:
        settings.OUTBOUND_ALLOW = [server.url.removeprefix("http://")]
        client = outbound.client(ssl.create_default_context(), guarded=True)

        assert client.post(server.url, json={}).status_code == 401


def test_address_of_the_environment_is_called_through_its_proxy(monkeypatch):
    with model_server.serving([model_server.status(401)]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        client = outbound.client(ssl.create_default_context(), guarded=False)

        assert client.post("http://models.example.com/v1/messages", json={}).status_code == 401
    assert proxy.headers[0]["Host"] == "models.example.com"


def test_what_is_not_listed_any_more_is_not_called(call):
    with model_server.serving([model_server.status(401)]) as server, pytest.raises(outbound.NotCalled):
        call(server.url)

    assert server.requests == []


def test_certificate_that_fits_nobody(call, settings):
    with model_server.serving([model_server.status(401)]) as server:
        settings.OUTBOUND_ALLOW = [server.url.removeprefix("http://")]
        with pytest.raises(outbound.NotTrusted):
            call(server.url.replace("http:", "https:"))


def test_literal_address_in_brackets(call, settings):
    settings.OUTBOUND_ALLOW = ["[::1]:1"]

    with pytest.raises(httpx2.ConnectError):
        call("http://[::1]:1")
