"""Signed-in browsers of Django's test client, one for each kind of person."""

import pytest
from django.test import Client


@pytest.fixture
def signed_in():
    """A function: member -> Client that is signed in as them."""

    def sign_in(member):
        client = Client()
        client.force_login(member.user)
        return client

    return sign_in
