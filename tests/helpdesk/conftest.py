import pytest

from helpdesk.vendors import wire


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    """How long a call waits before it is tried again is no test's business but the wire's own, which counts the pauses."""
    monkeypatch.setattr(wire, "RETRY_SECONDS", (0.01, 0.03))
