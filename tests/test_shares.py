"""What `.ci/run` leaves out in one place it asks in the other."""

from tests import shares


def test_every_test_is_asked_somewhere(pytestconfig):
    items = pytestconfig.stash[shares.COLLECTED]

    assert [item.nodeid for item in items if not any(shares.is_asked(item, share) for share in shares.OF)] == []


def test_files_that_are_shared_out_are_there_and_in_one_share():
    embedded, services = map(shares.files_of, shares.OF)

    assert [name for name in embedded | services | shares.TOLD if not (shares.TESTS / name).is_file()] == []
    assert embedded & services == set()
