"""Staff of one workspace never see, count, find or choose anything of another; lists ask a fixed number of queries."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agents.back_office.versioned import SHOWN_VERSIONS, VersionsShown
from agents.models import Agent, Member, User, Workspace
from coaching.models import Proposal
from tests import factories
from tests.admin.conftest import called, furnish, registered

pytestmark = pytest.mark.django_db


def address(back, page, *args):
    return reverse(f"admin:{back.opts.app_label}_{back.opts.model_name}_{page}", args=args)


def of(workspace, back):
    """The rows of `workspace` in this list."""
    return back.model._default_manager.filter(**{back.workspace_path: workspace.pk}).distinct()


def betrays(html, theirs):
    """What of the other workspace can be read on a page."""
    ids = [theirs.pk, *Agent.objects.filter(workspace=theirs).values_list("pk", flat=True)]
    return [word for word in ["Elsewhere", "elsewhere-desk", *map(str, ids)] if word in html]


@pytest.mark.parametrize("back", registered())
def test_list_shows_own_rows_and_no_others(back, client, ours, theirs, staff):
    answer = client.get(address(back, "changelist"))
    assert answer.status_code == 200
    assert set(answer.context["cl"].queryset) == set(of(ours, back))
    assert answer.context["cl"].result_count > 0
    assert betrays(answer.content.decode(), theirs) == []


@pytest.mark.parametrize("back", registered())
def test_search_finds_nothing_of_another_workspace(back, client, ours, theirs, staff):
    assert back.get_search_fields(None)
    answer = client.get(address(back, "changelist"), {"q": "Elsewhere"})
    assert answer.context["cl"].result_count == 0


@pytest.mark.parametrize("back", registered())
def test_filters_offer_and_find_nothing_of_another_workspace(back, client, ours, theirs, staff):
    assert back.list_filter
    if back.workspace_path == "workspace":
        answer = client.get(address(back, "changelist"), {"workspace__id__exact": str(theirs.pk)})
        assert set(answer.context["cl"].queryset) <= set(of(ours, back))
    counted = client.get(address(back, "changelist"), {"_facets": "True"})
    assert betrays(counted.content.decode(), theirs) == []


@pytest.mark.parametrize("back", registered())
def test_pages_of_rows_show_own_and_answer_404_for_others(back, client, ours, theirs, staff):
    for page in ("change", "history"):
        row = of(ours, back).last()
        answer = client.get(address(back, page, called(row)))
        assert answer.status_code == 200
        assert betrays(answer.content.decode(), theirs) == []
        for row in of(theirs, back):
            assert client.get(address(back, page, called(row))).status_code == 404
            assert client.post(address(back, page, called(row)), {"_button": "remove"}).status_code == 404


@pytest.mark.parametrize("back", registered())
def test_what_can_be_chosen_is_of_the_own_workspace(back, client, ours, theirs, staff):
    answer = client.get(address(back, "add"))
    assert answer.status_code in (200, 403)
    if answer.status_code == 403:
        return
    assert betrays(answer.content.decode(), theirs) == []
    form = answer.context["adminform"].form
    strangers = {
        User: User.objects.filter(memberships__workspace=theirs),
        Workspace: Workspace.objects.filter(pk=theirs.pk),
    }
    for field in form.fields.values():
        if hasattr(field, "queryset"):
            model = field.queryset.model
            others = strangers[model] if model in strangers else model._default_manager.filter(workspace=theirs)
            assert not field.queryset.filter(pk__in=others.values("pk")).exists()


@pytest.mark.parametrize("back", [one for one in registered() if one.values[0].autocomplete_fields])
def test_autocomplete_offers_own_rows_only(back, client, ours, theirs, staff):
    for field in back.autocomplete_fields:
        asked = {"app_label": back.opts.app_label, "model_name": back.opts.model_name, "field_name": field, "term": ""}
        everything = client.get(reverse("admin:autocomplete"), asked)
        assert everything.status_code == 200
        assert everything.json()["results"]
        assert betrays(everything.content.decode(), theirs) == []
        assert client.get(reverse("admin:autocomplete"), asked | {"term": "Elsewhere"}).json()["results"] == []


def test_superuser_sees_all(client, ours, theirs, operator):
    answer = client.get(reverse("admin:coaching_proposal_changelist"))
    assert set(answer.context["cl"].queryset) == set(Proposal.objects.all())
    assert "Elsewhere proposal." in answer.content.decode()


def test_staff_who_lead_nothing_see_no_list(client, ours, staff):
    Member.objects.filter(pk=staff.pk).update(role=Member.Role.MEMBER)
    assert "you lead none" in client.get("/admin/").content.decode()
    assert client.get("/admin/agents/agent/").status_code == 403


def test_every_list_asks_the_same_number_of_queries_for_two_rows_and_for_six(client, operator):
    def queries():
        counted = {}
        for param in registered():
            back = param.values[0]
            with CaptureQueriesContext(connection) as captured:
                answer = client.get(address(back, "changelist"))
            rows = len(answer.context["cl"].result_list)
            counted[param.id] = len(captured)
            assert rows >= len(made), f"{param.id} shows {rows} rows only"
        return counted

    made = [furnish(f"Desk {n}") for n in range(2)]
    client.get("/admin/")
    few = queries()
    made += [furnish(f"Desk {n}") for n in range(2, 6)]
    assert queries() == few
    assert max(few.values()) <= 14


VERSIONED = [one for one in registered() if isinstance(one.values[0], VersionsShown)]


@pytest.mark.parametrize("back", VERSIONED)
def test_history_of_60_versions_takes_as_many_queries_as_one_of_2(back, client, ours, staff):
    """Also where the author and what a version points at differ from one to the next."""
    row = of(ours, back).last()
    people = [factories.user(name=f"Ours author {n}") for n in range(3)]

    def grow(versions):
        newest = row.history.order_by("-version").first()
        for version in range(newest.version + 1, versions + 1):
            newest.pk, newest.version, newest.history_type = None, version, "~"
            newest.history_user = people[version % 3]
            newest.save(force_insert=True)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(address(back, "history", called(row)))
        assert answer.status_code == 200
        return len(captured), len(answer.context["versions"])

    grow(2)
    queries()  # what kind of row it is, is asked once a process
    few, n_few = queries()
    grow(60)
    assert (n_few, queries()) == (2, (few, SHOWN_VERSIONS))
