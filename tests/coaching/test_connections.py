"""A workspace's own model: who may connect one, where the key may be, what becomes of two who save at once, whom a turn asks."""

import io
import logging

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection as database

from agents import encryption
from agents.access import NotAllowed
from coaching.actions import connections, sessions
from coaching.coach import model_tests, turns
from coaching.models import ModelConnection, ModelTest, Turn
from tests import factories, model_server, processes

KEY = "sk-test-0123456789-abcdWXYZ"
SAVERS = 3


def connect(workspace, by, version=0, **fields):
    return connections.connect(
        workspace, by=by, **{"key": KEY, "base_url": "", "model": "", "effort": "", "version": version} | fields
    )


def versions(workspace):
    rows = ModelConnection.history.filter(workspace=workspace).order_by("version")
    return [(row.version, row.key_tail, row.model, row.history_user) for row in rows]


@pytest.mark.django_db
def test_each_save_is_a_version_with_its_author_and_owes_a_test(workspace, owner, admin):
    connect(workspace, owner, model="one")
    connect(workspace, admin, version=1, key="", model="two", effort="high")

    own = connections.stored(workspace)
    assert versions(workspace) == [(1, "WXYZ", "one", owner.user), (2, "WXYZ", "two", admin.user)]
    assert (own.key, own.model, own.effort, own.version) == (KEY, "two", "high", 2)
    assert (
        ModelTest.objects.unfinished().get().asked_by == owner
    )  # one at a time; it tests what is stored when it begins


@pytest.mark.django_db
def test_saving_what_is_so_already_makes_no_version(workspace, owner):
    connect(workspace, owner, model="one")

    connect(workspace, owner, version=1, key="", model=" one ")

    assert len(versions(workspace)) == 1


@pytest.mark.django_db
def test_version_that_is_not_the_stored_one_any_more_is_refused(workspace, owner, admin):
    connect(workspace, owner, model="one")

    with pytest.raises(connections.ChangedMeanwhile):
        connect(workspace, admin, version=0, model="two")
    with pytest.raises(connections.ChangedMeanwhile):
        connections.disconnect(workspace, by=admin, version=0)

    assert versions(workspace) == [(1, "WXYZ", "one", owner.user)]


@pytest.mark.django_db
def test_pasted_key_loses_its_blanks_and_a_short_one_shows_nothing(workspace, owner):
    connect(workspace, owner, key=f"  {KEY[:9]}\r\n{KEY[9:]}\t")
    assert connections.of(workspace.pk).key == KEY

    connect(workspace, owner, version=1, key="none")
    assert (connections.of(workspace.pk).key, connections.stored(workspace).key_tail) == ("none", "····")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"key": ""}, {"key": [connections.KEY_MISSING]}),
        ({"key": "sk\x1bkey"}, "key"),
        ({"key": "schlüssel"}, "key"),
        ({"key": "x" * 1001}, "key"),
        ({"base_url": "ftp://models.example.com"}, "base_url"),
        ({"base_url": "http://models.example.com"}, "base_url"),
        ({"base_url": "https://10.0.0.1"}, "base_url"),
        ({"base_url": "https://name:word@models.example.com"}, "base_url"),
        ({"model": "two words"}, "model"),
        ({"model": "m" * 101}, "model"),
        ({"effort": "huge"}, "effort"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(workspace, owner, fields, wrong):
    with pytest.raises(ValidationError) as refused:
        connect(workspace, owner, **fields)

    told = refused.value.message_dict
    assert told == wrong if isinstance(wrong, dict) else list(told) == [wrong]
    assert ModelConnection.objects.count() == 0


@pytest.mark.django_db
def test_path_of_the_api_and_anthropics_own_address_are_not_kept(workspace, owner):
    kept = connect(workspace, owner, base_url="https://Models.Example.com/proxy/v1/messages/")
    assert kept.base_url == "https://models.example.com/proxy"

    assert connect(workspace, owner, version=1, base_url="https://api.anthropic.com/").base_url == ""


@pytest.mark.django_db
def test_stored_key_is_not_sent_to_another_server(workspace, owner):
    connect(workspace, owner)

    with pytest.raises(ValidationError) as refused:
        connect(workspace, owner, version=1, key="", base_url="https://elsewhere.example.com")

    assert refused.value.message_dict == {"key": [connections.KEY_ELSEWHERE]}


@pytest.mark.django_db
def test_members_may_not(workspace, owner, linked_member):
    connect(workspace, owner)
    with pytest.raises(NotAllowed):
        connect(workspace, linked_member, version=1)
    with pytest.raises(NotAllowed):
        connections.disconnect(workspace, by=linked_member, version=1)
    with pytest.raises(NotAllowed):
        connections.ask_for_test(workspace, by=linked_member)


@pytest.mark.django_db
def test_disconnecting_forgets_the_key_and_what_was_there_before_answers(workspace, owner, settings):
    connect(workspace, owner, model="own")
    assert connections.of(workspace.pk).model_name == "own"

    connections.disconnect(workspace, by=owner, version=1)

    assert connections.of(workspace.pk).is_practice
    assert (connections.stored(workspace).key, connections.stored(workspace).key_tail) == ("", "")
    assert ModelTest.objects.count() == 0
    settings.ANTHROPIC_API_KEY, settings.COACH_MODEL = "of-the-server", "servers"
    assert connections.of(workspace.pk).model_name == "servers"
    with pytest.raises(connections.NotConnected):
        connections.disconnect(workspace, by=owner, version=2)


@pytest.mark.django_db
def test_key_that_no_field_key_opens_is_asked_for_again(workspace, owner, settings):
    connect(workspace, owner, model="one")
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]

    assert connections.is_unreadable(connections.stored(workspace))
    assert connections.of(workspace.pk).is_practice
    with pytest.raises(ValidationError) as refused:
        connect(workspace, owner, version=1, key="", model="two")
    assert refused.value.message_dict == {"key": [connections.KEY_UNREADABLE]}

    connect(workspace, owner, version=1, model="two")
    assert connections.of(workspace.pk).key == KEY


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("stored", [0, 1], ids=["the first", "a later one"])
def test_of_many_who_save_at_once_one_wins_and_the_others_are_told(stored):
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    if stored:
        connect(workspace, owner)
    children = [
        processes.start("-m", "tests.flows.ask_at_once", "connect", str(owner.pk), f"model-{n}", str(stored))
        for n in range(SAVERS)
    ]

    said = processes.together(children)

    assert sorted(said) == ["connected"] + ["meanwhile"] * (SAVERS - 1)
    assert [version for version, *_ in versions(workspace)] == list(range(1, stored + 2))


# --- Where the key may be


@pytest.mark.django_db
def test_key_is_nowhere_but_encrypted_in_its_own_column(workspace, owner, caplog, capfd, settings):
    with (
        caplog.at_level(logging.DEBUG),
        model_server.serving([model_server.status(401, "authentication_error")]) as server,
    ):
        settings.OUTBOUND_ALLOW = [server.url.removeprefix("http://")]
        connect(workspace, owner, base_url=server.url)
        model_tests.run(ModelTest.objects.get().pk)
        assert server.headers[0]["Authorization"] == f"Bearer {KEY}"

    with database.cursor() as cursor:
        cursor.execute("SELECT key FROM coaching_modelconnection")
        assert encryption.decrypt(cursor.fetchone()[0]) == KEY
        everywhere = [str(row) for table in database.introspection.table_names() for row in rows(cursor, table)]
    assert len(everywhere) > 10
    assert not [row for row in everywhere if KEY[:12] in row]
    assert KEY[:12] not in caplog.text + "".join(capfd.readouterr())
    assert "key" not in [field.name for field in ModelConnection.history.model._meta.fields]
    assert KEY not in repr(connections.of(workspace.pk))


def rows(cursor, table):
    cursor.execute(f'SELECT * FROM "{table}"')
    return cursor.fetchall()


# --- Whom a turn asks


@pytest.mark.django_db(transaction=True)
def test_coach_asks_the_connection_of_its_own_workspace(settings):
    ours, theirs = factories.workspace(), factories.workspace()
    with (
        model_server.serving([model_server.text("Ours.")]) as own,
        model_server.serving([model_server.text("The server's.")]) as common,
    ):
        settings.OUTBOUND_ALLOW = [own.url.removeprefix("http://")]
        settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = "of-the-server", common.url
        connect(ours, factories.owner(ours), base_url=own.url, model="own-model", effort="low")

        assert answered(ours) == "Ours."
        assert answered(theirs) == "The server's."

    assert [(asked["model"], asked["output_config"]) for asked in own.requests] == [("own-model", {"effort": "low"})]
    assert own.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert common.headers[0]["Authorization"] == "Bearer of-the-server"
    assert len(common.requests) == 1


def answered(workspace):
    by = factories.member(workspace, "admin")
    turn = sessions.ask(factories.session(factories.ai_agent(workspace), by), by=by, text="Are you there?")
    turns.run(sessions.claim(turn.pk))
    turn = Turn.objects.get(pk=turn.pk)
    assert turn.state == "done", turn.error
    return turn.messages.get(role="coach").text


# --- Keys of the fields are exchanged


@pytest.fixture
def exchanged(settings):
    """A function: put a new field key in front of those there are; returns it."""

    def put():
        settings.FIELD_KEYS = [Fernet.generate_key().decode(), *settings.FIELD_KEYS]
        return settings.FIELD_KEYS[0]

    return put


@pytest.mark.django_db
def test_rotation_writes_every_secret_under_the_newest_key_and_can_be_repeated(workspace, owner, exchanged, settings):
    connect(workspace, owner)
    newest = exchanged()

    assert rotated() == "1 secret is under the newest key now; 0 were already.\n"
    assert rotated() == "0 secrets are under the newest key now; 1 was already.\n"
    settings.FIELD_KEYS = [newest]
    assert connections.of(workspace.pk).key == KEY
    assert versions(workspace) == [(1, "WXYZ", "", owner.user)]  # it is no change of the connection


@pytest.mark.django_db
def test_rotation_names_what_it_cannot_read_and_fails_but_does_the_rest(
    workspace, owner, stranger, exchanged, settings
):
    connect(workspace, owner)
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    connect(stranger.workspace, stranger)
    newest = exchanged()

    said = io.StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("rotate_secrets", stdout=said)

    unread = connections.stored(workspace)
    assert (
        said.getvalue().splitlines()[0]
        == f"coaching_modelconnection {unread.pk}: key cannot be read under any of FIELD_KEYS."
    )
    assert str(failed.value) == "1 secret cannot be read. Put it in again, or bring the old key back into FIELD_KEYS."
    settings.FIELD_KEYS = [newest]
    assert connections.of(stranger.workspace.pk).key == KEY


@pytest.mark.django_db
def test_rotation_does_not_overwrite_what_was_saved_meanwhile(workspace, owner, exchanged, monkeypatch):
    connect(workspace, owner)
    exchanged()
    renew = encryption.renew

    def saved_meanwhile(secret):
        monkeypatch.setattr(encryption, "renew", renew)
        connect(workspace, owner, version=1, key="sk-the-new-one-9876")
        return renew(secret)

    monkeypatch.setattr(encryption, "renew", saved_meanwhile)
    rotated()

    assert connections.of(workspace.pk).key == "sk-the-new-one-9876"


def rotated():
    said = io.StringIO()
    call_command("rotate_secrets", stdout=said)
    return said.getvalue()
