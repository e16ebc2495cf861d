"""The pages that say what happened, what was kept, and the way on."""

import pytest
from django.test import Client, RequestFactory

from config import errors


def test_failure_page_needs_neither_person_nor_database():
    response = errors.server_error(RequestFactory().get("/team"))

    assert response.status_code == 500
    text = response.content.decode()
    assert "Something failed on our side" in text
    assert '<a class="btn btn-primary" href="/">' in text


@pytest.mark.parametrize("address", ["/nowhere", "/team/", "/team/not-an-id", "/static/nowhere.css"])
def test_missing_page_says_so_to_anybody(address, db):
    response = Client().get(address)

    assert response.status_code == 404
    assert "There is nothing at this address" in response.content.decode()


def test_unreadable_request_says_so(db):
    response = Client().get("/team", headers={"host": "elsewhere.example"})

    assert response.status_code == 400
    assert "This request could not be read" in response.content.decode()
