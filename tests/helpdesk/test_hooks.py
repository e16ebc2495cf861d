"""Where webhooks come in: who is believed, what is kept, and what everybody is told."""

import json
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.test import Client
from django.utils import timezone

from agents.models import Workspace
from helpdesk.actions import connections
from helpdesk.models import HelpdeskConnection, WebhookReceipt
from helpdesk.vendors import registry
from helpdesk.vendors.contract import Malformed
from helpdesk.views import hooks
from tests.desks import DESKS
from tests.desks.server import serving as serving_desk
from tests.desks.world import small_world, talk
from tests.helpdesk.hooked import address, body_of, in_house, item, over_the_wire, signed, through_view
from tests.serving import serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["web process", "Django alone"])
def send(request, client):
    """A function: path, body, headers, method -> Answered. Both doors answer the same."""
    if request.param == "Django alone":
        yield lambda *told, **further: through_view(client, *told, **further)
        return
    with serving() as place:
        yield lambda *told, **further: over_the_wire(place, *told, **further)


@pytest.fixture
def connection(owner):
    return in_house(owner)


# --- What is believed --------------------------------------------------------------------------------------------------


def test_a_signed_hook_leaves_a_receipt_that_is_owed(send, connection):
    body = body_of(item(1), item(2), event="e-1")

    answered = send(address(connection), body, signed(body))

    assert (answered.status, answered.body) == (200, {"received": 2, "rejected": []})
    receipt = WebhookReceipt.objects.get()
    assert (receipt.event_id, receipt.event, receipt.items) == ("e-1", "ratings", [item(1), item(2)])
    assert WebhookReceipt.objects.due().count() == 1


def test_the_same_event_again_is_answered_alike_and_kept_once(send, connection):
    body = body_of(item(1), event="e-1")

    answers = [send(address(connection), body, signed(body)) for _ in range(3)]

    assert {(one.status, one.body["received"]) for one in answers} == {(200, 1)}
    assert WebhookReceipt.objects.count() == 1


def test_twenty_of_the_same_event_at_once_leave_one_receipt(connection):
    body = body_of(item(1), event="e-1")
    headers = signed(body)

    with serving() as place, ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: over_the_wire(place, address(connection), body, headers), range(20)))

    assert [one.status for one in answers] == [200] * 20
    assert WebhookReceipt.objects.count() == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Touchline-Timestamp": "now"},
        {"X-Touchline-Timestamp": str(int(time.time())), "X-Touchline-Signature": "sha256=00"},
        {"X-Touchline-Timestamp": str(int(time.time())), "X-Touchline-Signature": "sha256=\xe9"},
    ],
    ids=["none", "no time", "wrong", "no letters"],
)
def test_a_hook_without_the_right_signature_is_refused(send, connection, headers):
    answered = send(address(connection), body_of(item(1)), headers)

    assert (answered.status, WebhookReceipt.objects.count()) == (401, 0)


def test_a_hook_signed_with_another_secret_or_for_another_body_is_refused(send, connection):
    body = body_of(item(1))

    answers = [
        send(address(connection), body, signed(body, secret="another")),
        send(address(connection), body_of(item(2)), signed(body)),
        send(address(connection), body[:-1], signed(body)),
    ]

    assert [one.status for one in answers] == [401, 401, 401]
    assert WebhookReceipt.objects.count() == 0


@pytest.mark.parametrize(("seconds", "status"), [(-360, 401), (-240, 200), (240, 200), (360, 401)])
def test_a_signature_holds_for_five_minutes_by_a_clock_that_is_ahead_or_behind(send, connection, seconds, status):
    body = body_of(item(1))

    answered = send(address(connection), body, signed(body, at=time.time() + seconds))

    assert answered.status == status


def test_a_connection_whose_secret_no_key_opens_believes_nobody(send, connection, settings):
    settings.FIELD_KEYS = ["aW5zdGVhZCBvZiB0aGUga2V5IGFub3RoZXIgb25lLi4="]
    body = body_of(item(1))

    assert send(address(connection), body, signed(body)).status == 401
    assert send(address(connection), body, signed(body, secret="")).status == 401


def test_a_connection_is_not_at_the_address_of_another_vendor(send, connection):
    body = body_of(item(1))

    assert send(f"/hooks/zendesk/{connection.pk}", body, signed(body)).status == 404


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_being_signed_in_makes_no_difference(client, connection, owner, stranger, linked_member, method):
    """A hook is nobody's page: no session opens it, and none is begun."""
    answers = [through_view(client, address(connection), b"{}", method=method)]
    for member in (owner, stranger, linked_member):
        client.force_login(member.user)
        answers.append(through_view(client, address(connection), b"{}", method=method))

    assert [one.status for one in answers] == [{"GET": 405, "POST": 401, "HEAD": 200}[method]] * 4
    assert len({str(one.body) for one in answers}) == 1
    assert not any("set-cookie" in one.headers for one in answers)


def test_no_token_against_forged_forms_is_asked_for(connection):
    body = body_of(item(1))

    answered = through_view(Client(enforce_csrf_checks=True), address(connection), body, signed(body))

    assert answered.status == 200


# --- Where there is nothing --------------------------------------------------------------------------------------------


def test_what_is_not_there_and_what_is_disconnected_answer_alike(send, connection, owner):
    body = body_of(item(1))
    connections.disconnect(connection, by=owner)

    gone = send(address(connection), body, signed(body))
    unknown = send(f"/hooks/generic/{uuid.uuid4()}", body, signed(body))
    other_vendor = send(address(connection).replace("generic", "zendesk"), body, signed(body))
    no_vendor = send(address(connection).replace("generic", "nobody"), body, signed(body))

    assert [one.status for one in (gone, unknown, other_vendor, no_vendor)] == [404] * 4
    assert gone.body == unknown.body == other_vendor.body == no_vendor.body
    assert WebhookReceipt.objects.count() == 0


@pytest.mark.parametrize("state", ["paused", "refused"])
def test_a_connection_that_is_not_read_keeps_what_comes(send, connection, state):
    HelpdeskConnection.objects.update(state=state)
    body = body_of(item(1))

    assert send(address(connection), body, signed(body)).status == 200
    assert WebhookReceipt.objects.owed().count() == 1
    assert WebhookReceipt.objects.takeable().count() == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_not_allowed(send, connection, method):
    answered = send(address(connection), method=method)

    assert (answered.status, answered.headers["allow"]) == (405, "POST, HEAD")


def test_an_address_can_be_tried_before_it_is_taken(send, connection):
    answers = [
        send(address(connection), method="HEAD"),
        send(f"/hooks/generic/{uuid.uuid4()}", method="HEAD"),
    ]

    assert [(one.status, one.body) for one in answers] == [(200, None)] * 2


# --- What cannot be read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b'"words"', b"{}", b'{"id": "e"}', b'{"id": null, "items": []}', b'{"id": "e", "items": {}}',
        b'{"id": "e", "items": [], "comment": "secret words"}', b'{"id": "\\u0000", "items": []}',
        b'{"id": "\\ud800", "items": []}', b"\xff\xfe", b"[" * 100_000, json.dumps({"id": "x" * 301, "items": []}).encode(),
        json.dumps({"id": "e", "items": [{}] * 5_001}).encode(),
    ],
    ids=range(16),
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused_in_our_own_words(send, connection, body):
    answered = send(address(connection), body, signed(body))

    assert answered.status == 400
    assert set(answered.body) == {"error"}
    assert "secret" not in answered.body["error"]
    assert WebhookReceipt.objects.count() == 0


def test_items_that_cannot_be_read_are_named_and_the_others_kept(send, connection):
    bad = [item(2, comment="secret words"), item(3, value="secret"), "secret", item(4, ratedAt=None)]
    body = body_of(item(1), *bad)

    answered = send(address(connection), body, signed(body))

    assert (answered.status, answered.body["received"]) == (200, 1)
    assert [(one["index"], one["detail"]) for one in answered.body["rejected"]] == [
        (1, "It has a field that is not known."),
        (2, "value cannot be read."),
        (3, "It is not an object."),
        (4, "ratedAt cannot be read."),
    ]
    receipt = WebhookReceipt.objects.get()
    assert receipt.items == [item(1)]
    assert receipt.outcome.startswith("4 refused (1: It has a field that is not known.; 2: value")
    assert "secret" not in f"{answered.body} {receipt.outcome}"


def test_a_hook_of_which_nothing_can_be_used_is_done_at_once(send, connection):
    body = body_of("secret")

    assert send(address(connection), body, signed(body)).status == 200
    receipt = WebhookReceipt.objects.get()
    assert (receipt.items, receipt.next_try_at, receipt.done_at is None) == (None, None, False)
    assert receipt.outcome == "1 refused (0: It is not an object.)"


def test_a_body_of_more_than_a_megabyte_is_refused(send, connection):
    body = b" " * (hooks.MOST_BYTES + 1)

    assert send(address(connection), body, signed(body)).status == 413


def test_a_body_of_a_megabyte_is_read(send, connection):
    body = body_of(item(1))
    body += b" " * (hooks.MOST_BYTES - len(body))

    assert send(address(connection), body, signed(body)).status == 200


def test_a_body_that_says_it_is_too_large_is_not_waited_for(connection, monkeypatch):
    monkeypatch.setattr(hooks, "BODY_SECONDS", 0.5)

    with serving() as place, socket.create_connection(place) as wire:
        head = b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n"
        wire.sendall(head % (address(connection).encode(), hooks.MOST_BYTES + 1))
        answer = wire.recv(1_000)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_body_that_says_no_length_is_counted_by_django_alone(connection):
    scope = {"type": "http", "method": "POST", "path": address(connection), "query_string": b"", "headers": []}
    sizes = (hooks.MOST_BYTES + 1, hooks.MOST_BYTES)

    answers = [hooks.hook(ASGIRequest(scope, BytesIO(b" " * size)), "generic", connection.pk) for size in sizes]

    assert [answer.status_code for answer in answers] == [413, 401]


@pytest.mark.parametrize("says_how_long", [True, False])
def test_fifty_megabytes_are_refused_and_kept_nowhere(connection, says_how_long, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    piece, n_pieces = b"x" * 100_000, 500

    with serving() as place:
        before, most = resident(), 0
        with socket.create_connection(place) as wire:
            how = b"content-length: 50000000" if says_how_long else b"transfer-encoding: chunked"
            wire.sendall(b"POST %b HTTP/1.1\r\nhost: localhost\r\n%b\r\n\r\n" % (address(connection).encode(), how))
            for _ in range(n_pieces):
                wire.sendall(piece if says_how_long else b"%x\r\n%b\r\n" % (len(piece), piece))
                most = max(most, resident())
            if not says_how_long:
                wire.sendall(b"0\r\n\r\n")
            answer = wire.recv(1_000)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert most - before < 20_000_000
    assert list(tmp_path.rglob("*")) == []


def resident() -> int:
    """Bytes of this process, which the server is a thread of, that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


# --- Too much ----------------------------------------------------------------------------------------------------------


def test_more_bytes_than_are_held_at_once_are_asked_for_again(connection, monkeypatch):
    monkeypatch.setattr(hooks, "MOST_HELD", 400_000)
    body = body_of(item(1))
    large = body + b" " * 500_000

    with serving() as place:
        refused = over_the_wire(place, address(connection), large, signed(large))
        taken = over_the_wire(place, address(connection), body, signed(body))

    assert (refused.status, refused.headers["retry-after"], taken.status) == (503, "2", 200)


def test_a_body_that_drips_in_is_given_up(connection, monkeypatch):
    monkeypatch.setattr(hooks, "BODY_SECONDS", 0.2)

    with serving() as place, socket.create_connection(place) as wire:
        wire.sendall(b"POST %b HTTP/1.1\r\nhost: localhost\r\n" % address(connection).encode())
        wire.sendall(b"content-length: 10\r\n\r\nabc")
        answer = wire.recv(1_000)

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_sender_that_hangs_up_holds_nobody_up(connection):
    body = body_of(item(1))

    with serving() as place:
        with socket.create_connection(place) as wire:
            wire.sendall(b"POST %b HTTP/1.1\r\nhost: localhost\r\n" % address(connection).encode())
            wire.sendall(b"content-length: 10\r\n\r\nabc")
        answered = over_the_wire(place, address(connection), body, signed(body))

    assert answered.status == 200


# --- Every vendor ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=sorted(DESKS))
def desk(request):
    with serving_desk(DESKS[request.param](small_world())) as desk:
        yield desk


def of_vendor(desk, owner, settings):
    settings.OUTBOUND_ALLOW = [*settings.OUTBOUND_ALLOW, desk.place]
    return connections.connect(
        owner.workspace, by=owner, vendor=desk.vendor, base_url=desk.url, credentials=desk.credentials
    )


def test_every_vendor_s_event_leaves_ids_and_nothing_else(desk, send, owner, settings):
    connection, now = of_vendor(desk, owner, settings), timezone.now()
    body, headers = desk.webhook(talk(1, words="zebrafish"), now)

    answers = [send(address(connection), body, headers) for _ in range(2)]

    assert [one.status for one in answers] == [200, 200]
    receipt = WebhookReceipt.objects.get()
    assert receipt.conversation_id == "1001" or receipt.rating_id
    assert (receipt.items, receipt.done_at) == (None, None)
    assert "zebrafish" not in json.dumps(WebhookReceipt.objects.values().get(), default=str)


def test_every_vendor_s_event_has_to_be_proved(desk, send, owner, settings):
    connection, now = of_vendor(desk, owner, settings), timezone.now()
    body, headers = desk.webhook(talk(1), now)
    secret = registry.VENDORS[desk.vendor].webhook_secret
    other = {**desk.credentials, secret: "another"}

    answers = [send(address(connection), body, {}), send(address(connection), body + b" ", {})]
    connections.connect(owner.workspace, by=owner, vendor=desk.vendor, base_url=desk.url, credentials=other)
    answers.append(send(address(connection), body, headers))

    assert [one.status for one in answers] == [401, 401, 401]
    assert WebhookReceipt.objects.count() == 0


def test_a_signature_that_is_of_a_time_grows_old(desk, send, owner, settings):
    connection = of_vendor(desk, owner, settings)
    body, headers = desk.webhook(talk(1), timezone.now() - timedelta(minutes=6))

    assert send(address(connection), body, headers).status == (401 if desk.dates_webhooks else 200)


def test_a_connection_without_a_webhook_secret_believes_nobody(desk, send, owner, settings):
    connection = of_vendor(desk, owner, settings)
    HelpdeskConnection.objects.update(secrets="")
    secret = registry.VENDORS[desk.vendor].webhook_secret
    guesses = [desk.webhook(talk(1), timezone.now())]
    desk.credentials = desk.credentials | {secret: ""}  # what anybody could sign with
    guesses.append(desk.webhook(talk(1), timezone.now()))
    desk.credentials = desk.credentials | {secret: " "}
    guesses.append(desk.webhook(talk(1), timezone.now()))

    assert [send(address(connection), *guess).status for guess in guesses] == [401, 401, 401]
    assert not WebhookReceipt.objects.exists()


@pytest.mark.parametrize("body", [None, [], 7, {}, {"id": {}}, {"id": [], "type": 7, "event": None}], ids=repr)
def test_no_vendor_s_reader_breaks_on_what_is_not_its_vendor_s(desk, body):
    with pytest.raises(Malformed):
        registry.VENDORS[desk.vendor].hint(body, {})


def test_hooks_of_several_connections_come_to_their_own(owner, stranger):
    mine, theirs = in_house(owner), in_house(stranger)
    bodies = [body_of(item(n), event=f"e-{n}") for n in range(20)]

    with serving() as place, ThreadPoolExecutor(10) as pool:
        sent = [(address((mine, theirs)[n % 2]), body, signed(body)) for n, body in enumerate(bodies)]
        answers = list(pool.map(lambda told: over_the_wire(place, *told), sent))

    assert {one.status for one in answers} == {200}
    counts = {one.slug: WebhookReceipt.objects.filter(workspace=one).count() for one in Workspace.objects.all()}
    assert set(counts.values()) == {10}
