"""Deep link patterns: what they may be, and the links made from them."""

from urllib.parse import urlsplit

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from agents.access import NotAllowed
from helpdesk import deeplinks
from helpdesk.models import DeepLink
from tests import factories

PATTERN = "https://{subdomain}.desk.example/tickets/{id}?from={accountId}#t{id}"


def test_values_are_encoded_in_their_places():
    link = deeplinks.render(PATTERN, {"subdomain": "acme", "id": "a/b ?#&é", "accountId": "1"})

    code = "a%2Fb%20%3F%23%26%C3%A9"
    assert link == f"https://acme.desk.example/tickets/{code}?from=1#t{code}"


@pytest.mark.parametrize(
    "values",
    [
        {"subdomain": "acme", "accountId": "1"},
        {"subdomain": "acme", "accountId": "", "id": "1"},
        {"subdomain": "evil.example/", "accountId": "1", "id": "1"},
        {"subdomain": "evil.example", "accountId": "1", "id": "1"},
        {"subdomain": "user:pw@evil", "accountId": "1", "id": "1"},
        {"subdomain": "acme", "accountId": "1", "id": ".."},
        {"subdomain": "acme", "accountId": "1", "id": "x" * 500},
    ],
)
def test_no_link_rather_than_a_wrong_one(values):
    assert deeplinks.render(PATTERN, values) == ""


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_no_value_leaves_its_place(external_id, account):
    try:
        external_id.encode(), account.encode()
    except UnicodeEncodeError:
        return

    link = deeplinks.render("https://desk.example/tickets/{id}?from={a}", {"id": external_id, "a": account})

    parts = urlsplit(link)
    assert not link or (parts.scheme, parts.netloc, parts.fragment) == ("https", "desk.example", "")
    assert link.count("/") in (0, 4)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("https://desk.example/tickets", "{id}"),
        ("ftp://desk.example/{id}", "https://"),
        ("javascript:alert(1)//{id}", "https://"),
        ("//desk.example/{id}", "https://"),
        ("https:///{id}", "host"),
        ("https://{id}.desk.example/", "host"),
        ("https://me:pw@desk.example/{id}", "no user"),
        ("https://desk.example/{id", "braces"),
        ("https://desk.example/{the id}", "no spaces"),
        ("https://desk.example/{id}\n", "no spaces"),
        ("https://desk.example/\\{id}", "backslashes"),
        ("https://desk.example:port/{id}", "host"),
        ("https://desk.example/{id}" + "x" * 500, "500"),
    ],
)
def test_unusable_pattern_is_refused_with_the_reason(pattern, why):
    with pytest.raises(deeplinks.NotAPattern) as refused:
        deeplinks.check(pattern, needs="id")

    assert why in str(refused.value)


def test_conversation_is_linked_by_its_sources_pattern(workspace, owner, agent):
    deeplinks.save(
        workspace, source="desk", conversation_pattern="https://{s}.desk.example/{id}", keys={"s": "acme"}, by=owner
    )

    assert deeplinks.conversation_url(factories.conversation(agent, external_id="7")) == "https://acme.desk.example/7"
    assert deeplinks.conversation_url(factories.conversation(agent, source="chat")) == ""


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"source": "my desk"}, "source"),
        ({"account_pattern": "mailto:{customerId}"}, "account_pattern"),
        ({"keys": {"id": "1"}}, "keys"),
        ({"keys": {"a b": "1"}}, "keys"),
        ({"keys": {"a": ""}}, "keys"),
    ],
)
def test_what_cannot_be_saved_names_its_field(workspace, owner, fields, field):
    given_ = {"source": "desk", "conversation_pattern": "https://desk.example/{id}"} | fields

    with pytest.raises(ValidationError) as refused:
        deeplinks.save(workspace, by=owner, **given_)

    assert list(refused.value.message_dict) == [field]
    assert DeepLink.objects.count() == 0


def test_members_save_no_patterns(workspace, linked_member):
    with pytest.raises(NotAllowed):
        deeplinks.save(workspace, source="desk", conversation_pattern="https://desk.example/{id}", by=linked_member)


@pytest.mark.parametrize("external_id", ["7", "a/b ?#&é", "{id}", "..."])
def test_a_link_leads_back_to_its_conversation_whatever_follows_it(workspace, owner, external_id):
    pattern, keys = "https://{space}.desk.example/tickets/{id}", {"space": "acme"}
    deeplinks.save(workspace, source="other", conversation_pattern="https://else.example/{id}", by=owner)
    deeplinks.save(workspace, source="desk", conversation_pattern=pattern, keys=keys, by=owner)
    found = factories.conversation(factories.human(workspace), source="desk", external_id=external_id)
    link = deeplinks.conversation_url(found)

    assert link
    for tail in ("", "/", "/messages/3", "?tab=2", "#m3"):
        assert deeplinks.conversation_at(workspace, link + tail) == found


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.desk.example/tickets/7",
        "https://acme.desk.example.evil.example/tickets/7",
        "https://acmeXdesk.example/tickets/7",
        "https://acme.desk.example/tickets/70",
        "https://acme.desk.example/tickets/",
        "https://acme.desk.example/ticket/7",
        "see https://acme.desk.example/tickets/7",
        "",
    ],
)
def test_a_link_that_only_looks_alike_leads_nowhere(workspace, stranger, owner, address):
    pattern, keys = "https://{space}.desk.example/tickets/{id}", {"space": "acme"}
    deeplinks.save(workspace, source="desk", conversation_pattern=pattern, keys=keys, by=owner)
    factories.conversation(factories.human(workspace), source="desk", external_id="7")

    assert deeplinks.conversation_at(workspace, address) is None
    assert deeplinks.conversation_at(stranger.workspace, "https://acme.desk.example/tickets/7") is None
