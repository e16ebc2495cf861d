"""Settings › Deep links: a card for each source, what a pattern makes, and what is refused in words."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from helpdesk import deeplinks
from helpdesk.models import Conversation, DeepLink
from helpdesk.vendors.registry import VENDORS
from helpdesk.views.deep_links import SHAPES
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/settings/deep-links"
FRAGMENT = {"HX-Request-Type": "partial"}
PATTERN = "https://{subdomain}.desk.example/tickets/{id}"
TYPED = {"card": "desk", "source": "desk", "conversation_pattern": PATTERN, "version": "0"}


@pytest.fixture
def client(signed_in, owner):
    return signed_in(owner)


def card(response, source):
    return next(one for one in response.context["cards"] if one.source == source)


def test_workspace_without_conversations_is_told_how_to_begin(client):
    html = client.get(URL).content.decode()

    assert "No conversation has come in yet" in html
    assert "A first source" in html
    assert "?shape=zendesk#source-new" in html


def test_each_source_has_a_card_with_the_newest_of_its_ids(client, agent):
    for external_id in ("12", "7", "9"):
        factories.conversation(agent, source="desk", external_id=external_id)
    factories.conversation(agent, source="chat", external_id="c-1", closed_at=None)
    deeplinks.save(
        agent.workspace, by=agent.workspace.members.get(), source="old", conversation_pattern="https://o.example/{id}"
    )

    response = client.get(URL)

    assert [one.source for one in response.context["cards"]] == ["chat", "desk", "old"]
    assert deeplinks.sources(agent.workspace) == {"desk": "9", "chat": "c-1"}
    assert (card(response, "old").preview.external_id, card(response, "old").preview.is_real) == ("1001", False)


def test_source_of_another_workspace_is_none_here(client, stranger):
    factories.conversation(factories.ai_agent(stranger.workspace), source="foreign")
    deeplinks.save(stranger.workspace, by=stranger, source="alien", conversation_pattern="https://a.example/{id}")

    html = client.get(URL).content.decode()

    assert "foreign" not in html
    assert "alien" not in html


def test_pattern_is_saved_with_its_keys_and_makes_links(client, owner, agent):
    talk = factories.conversation(agent, source="desk", external_id="42")

    response = client.post(URL, TYPED | {"key-subdomain": " acme "}, follow=True)

    link = DeepLink.objects.get()
    assert (link.workspace, link.source, link.keys, link.version) == (owner.workspace, "desk", {"subdomain": "acme"}, 1)
    assert deeplinks.conversation_url(talk) == "https://acme.desk.example/tickets/42"
    assert 'href="https://acme.desk.example/tickets/42"' in response.content.decode()


def test_preview_shows_fields_for_keys_and_then_the_link(client, agent):
    factories.conversation(agent, source="desk", external_id="42/7")

    asks = client.post(f"{URL}/preview", TYPED, headers=FRAGMENT).content.decode()
    made = client.post(f"{URL}/preview", TYPED | {"key-subdomain": "acme"}, headers=FRAGMENT).content.decode()

    assert 'name="key-subdomain"' in asks
    assert "Say what {subdomain} stands for." in asks
    assert 'href="https://acme.desk.example/tickets/42%2F7"' in made
    assert "<html" not in made
    assert DeepLink.objects.count() == 0


def test_preview_works_without_scripts(client, agent):
    factories.conversation(agent, source="desk", external_id="42")

    response = client.post(URL, TYPED | {"key-subdomain": "acme", "look": "1"})

    assert response.status_code == 200
    assert card(response, "desk").preview.url == "https://acme.desk.example/tickets/42"
    assert DeepLink.objects.count() == 0


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"conversation_pattern": ""}, "conversation_pattern", "Without an address there is nothing to open."),
        ({"conversation_pattern": "javascript:alert({id})"}, "conversation_pattern", "begins with https:// or http://"),
        (
            {"conversation_pattern": "https://desk.example/"},
            "conversation_pattern",
            "says with {id} where the id belongs",
        ),
        ({"conversation_pattern": "https://{id}.desk.example/"}, "conversation_pattern", "cannot be part of the host"),
        ({"conversation_pattern": "https://a:b@desk.example/{id}"}, "conversation_pattern", "no user or password"),
        ({"conversation_pattern": "https://desk.example/{id}" + "x" * 500}, "conversation_pattern", "at most 500"),
        ({"conversation_pattern": "https://desk.example/{id"}, "conversation_pattern", "in braces is a name"),
        ({"account_pattern": "mailto:{id}"}, "account_pattern", "begins with https:// or http://"),
        ({"key-subdomain": ""}, "key-subdomain", "Without it no link can be made."),
        ({"key-subdomain": "evil.example/"}, "key-subdomain", "letters, digits and - only"),
        ({"key-subdomain": "x" * 201}, "key-subdomain", "at most 200 characters"),
        ({"card": "", "source": "my desk"}, "source", "a short name of letters, digits"),
        ({"card": "", "source": ""}, "source", "Name the source"),
        ({"version": "x"}, "version", "whole number"),
    ],
)
def test_what_is_refused_is_said_beside_its_field(client, agent, fields, field, said):
    factories.conversation(agent, source="desk")

    response = client.post(URL, TYPED | {"key-subdomain": "acme"} | fields)

    forms = [one.form for one in [*response.context["cards"], response.context["new"]]]
    told = [str(error) for form in forms for error in form.errors.get(field, [])]
    assert response.status_code == 400
    assert [said in sentence for sentence in told] == [True]
    assert DeepLink.objects.count() == 0


def test_markup_in_a_pattern_stays_words(client, agent):
    factories.conversation(agent, source="desk")

    html = client.post(URL, TYPED | {"conversation_pattern": '"><script>alert(1)</script>{id}'}).content.decode()

    assert "<script>alert" not in html
    assert "no spaces, line breaks, backslashes, quotes" in html


def test_two_editors_of_one_source_do_not_overwrite_each_other(client, owner):
    deeplinks.save(owner.workspace, by=owner, source="desk", conversation_pattern="https://one.example/{id}")
    mine = {"card": "desk", "source": "desk", "conversation_pattern": "https://two.example/{id}"}

    late = client.post(URL, mine | {"version": "0"})
    good = client.post(URL, mine | {"version": "1"})
    again = client.post(URL, mine | {"version": "1"})

    assert (late.status_code, good.status_code, again.status_code) == (409, 302, 409)
    assert "https://two.example/{id}" in late.content.decode()
    assert (DeepLink.objects.get().version, DeepLink.objects.get().conversation_pattern) == (
        2,
        "https://two.example/{id}",
    )


def test_saving_what_stands_there_makes_no_version(client, owner):
    deeplinks.save(owner.workspace, by=owner, source="desk", conversation_pattern="https://one.example/{id}", keys={})

    client.post(
        URL, {"card": "desk", "source": "desk", "conversation_pattern": "https://one.example/{id}", "version": "1"}
    )

    assert DeepLink.objects.get().version == 1


def test_removed_pattern_leaves_its_history(client, owner, agent):
    factories.conversation(agent, source="desk")
    link = deeplinks.save(owner.workspace, by=owner, source="desk", conversation_pattern="https://one.example/{id}")
    deeplinks.save(owner.workspace, by=owner, source="desk", conversation_pattern="https://two.example/{id}")

    client.post(f"{URL}/{link.pk}/remove")

    shown = card(client.get(URL), "desk")
    assert shown.link is None
    assert [one.words for one in shown.versions] == ["Removed", "https://two.example/{id}", "https://one.example/{id}"]
    assert {one.row.history_user for one in shown.versions} == {owner.user}


def test_shape_of_a_known_helpdesk_fills_a_card_and_stores_nothing(client, agent):
    factories.conversation(agent, source="desk")

    known = client.get(URL, {"source": "desk", "shape": "zendesk"})
    new = client.get(URL, {"shape": "intercom"})
    unknown = client.get(URL, {"shape": "nobody", "source": "<b>"})

    assert card(known, "desk").form.patterns[0] == "https://{subdomain}.zendesk.com/agent/tickets/{id}"
    assert new.context["new"].form["source"].value() == "intercom"
    assert unknown.status_code == 200
    assert DeepLink.objects.count() == 0


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.source)
def test_shapes_are_patterns_that_make_links(shape):
    deeplinks.check(shape.pattern, needs="id")
    values = dict.fromkeys(deeplinks.keys_of(shape.pattern), "acme") | {"id": "42"}

    assert deeplinks.render(shape.pattern, values).endswith("42")


@pytest.mark.parametrize("vendor", [one for one in VENDORS.values() if one.reads], ids=lambda vendor: vendor.name)
def test_shape_of_a_vendor_is_the_link_that_connecting_it_sets(vendor):
    [shape] = [shape for shape in SHAPES if shape.source == vendor.name]
    known = {"appId": "a1", "accountId": "7"}

    pattern, values = vendor.link(vendor.address.default or vendor.address.example, known)

    assert (shape.pattern, shape.name) == (pattern, vendor.label)
    assert values.keys() == set(deeplinks.keys_of(pattern)) - {"id"}


def test_page_asks_as_many_queries_for_many_sources_as_for_few(client, owner, agent):
    def add(number):
        source = f"desk-{number}"
        factories.conversation(agent, source=source)
        deeplinks.save(owner.workspace, by=owner, source=source, conversation_pattern="https://d.example/{id}")

    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert client.get(URL).status_code == 200
        return len(captured)

    add(1)
    few = queries()
    for number in range(2, 14):
        add(number)

    assert queries() == few
    assert Conversation.objects.values("source").distinct().count() == 13
