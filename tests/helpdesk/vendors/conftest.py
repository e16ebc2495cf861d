"""Desks of the tests, served for one test."""

import pytest

from tests.desks.server import serving


@pytest.fixture
def serve(settings):
    """Let a desk answer, at an address that may be called, until the test is over."""
    served = []

    def serve(desk):
        running = serving(desk)
        running.__enter__()
        served.append(running)
        settings.OUTBOUND_ALLOW = [*settings.OUTBOUND_ALLOW, desk.place]
        return desk

    yield serve
    for running in served:
        running.__exit__(None, None, None)
