"""In-house desks: what proves that it was them, and which request it is."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from helpdesk.vendors.contract import Forged, Malformed
from helpdesk.vendors.reading import hex_hmac
from helpdesk.vendors.registry import VENDORS

NOW = datetime(2026, 3, 2, 13, tzinfo=UTC)
SECRET = "made up by the desk"
BODY = json.dumps({"id": "batch-1", "items": [{"externalId": "t1"}]}).encode()
generic = VENDORS["generic"]


def signed(body=BODY, at=NOW, secret=SECRET):
    stamp = str(int(at.timestamp()))
    return {
        "x-touchline-timestamp": stamp,
        "x-touchline-signature": f"sha256={hex_hmac(stamp.encode() + b'.' + body, secret)}",
    }


def test_what_the_desk_signed_is_believed_for_five_minutes():
    for minutes in (-4, 0, 4):
        generic.verify(BODY, signed(), SECRET, NOW + timedelta(minutes=minutes))


def test_the_signature_is_the_documented_one():
    """HMAC-SHA256 of `1772456400.{}` with the key `k`, worked out by openssl."""
    right = "01d7c8d91469648acc8221d7f704047554af937bc44768845d28faa26a308d97"
    headers = {"x-touchline-timestamp": "1772456400", "x-touchline-signature": f"sha256={right}"}

    generic.verify(b"{}", headers, "k", NOW)


@pytest.mark.parametrize(
    ("body", "headers", "secret", "late"),
    [
        (BODY, signed(), "another", 0),
        (BODY, signed(), "", 0),
        (BODY, signed(), SECRET, 6),
        (BODY, signed(), SECRET, -6),
        (BODY[:-1], signed(), SECRET, 0),
        (BODY.replace(b"t1", b"t2"), signed(), SECRET, 0),
        (BODY, signed() | {"x-touchline-timestamp": str(int(NOW.timestamp()) + 60)}, SECRET, 0),
        (BODY, signed() | {"x-touchline-timestamp": "now"}, SECRET, 0),
        (
            BODY,
            signed() | {"x-touchline-signature": signed()["x-touchline-signature"].removeprefix("sha256=")},
            SECRET,
            0,
        ),
        (BODY, {"x-touchline-signature": signed()["x-touchline-signature"]}, SECRET, 0),
        (BODY, {}, SECRET, 0),
    ],
)
def test_anything_else_is_forged(body, headers, secret, late):
    with pytest.raises(Forged):
        generic.verify(body, headers, secret, NOW + timedelta(minutes=late))


@pytest.mark.parametrize(("id", "told"), [("batch-1", "batch-1"), (17, "17")])
def test_the_request_is_known_by_its_id(id, told):
    hint = generic.hint({"id": id, "items": []}, {})

    assert (hint.event_id, hint.is_known, hint.conversation_id) == (told, True, "")


@pytest.mark.parametrize(
    "body", [None, [], "x", {}, {"id": "1"}, {"items": []}, {"id": "1", "items": {}}, {"id": None, "items": []}]
)
def test_a_body_without_id_or_items_is_malformed(body):
    with pytest.raises(Malformed):
        generic.hint(body, {})


def test_nothing_is_ever_called():
    assert not generic.reads
    assert generic.deep_link == ""
