"""The API's description as a page."""

import re
from pathlib import Path

import pytest

from config import docs

ROOT = Path(__file__).resolve().parents[2]
KIND = re.compile(r'\bkind="([a-z-]+)"')


def test_page_lists_every_route_with_its_fields(client, owner):
    client.force_login(owner.user)

    page = client.get("/api/v1/docs")

    text = page.content.decode()
    assert page.status_code == 200
    assert "POST /api/v1/proposals/{proposal_id}/approve" in text
    assert "<code>change.expiresAt</code>" in text
    assert "<script" not in text.partition("<body")[2]
    assert page["Content-Security-Policy"].startswith("default-src 'self'")


@pytest.mark.django_db
def test_stranger_is_asked_to_sign_in(client):
    assert client.get("/api/v1/docs").headers["Location"].startswith("/sign-in")


def test_every_kind_of_refusal_is_explained():
    sources = [
        path.read_text()
        for app in ("agents", "memories", "helpdesk", "coaching")
        for path in (ROOT / app).rglob("*.py")
    ]
    used = {kind for source in sources if "Problem(" in source for kind in KIND.findall(source)}

    assert used == set(docs.PROBLEMS)
