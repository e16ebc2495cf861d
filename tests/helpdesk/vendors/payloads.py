"""Real samples of what vendors send, from the folder TOUCHLINE_SHARED, else from `../shared` beside the checkout."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

SHARED = Path(os.environ.get("TOUCHLINE_SHARED") or Path(settings.BASE_DIR).parent / "shared")


def payload(vendor: str, name: str) -> Any:
    """One sample, decoded; the test is skipped where the folder is absent."""
    file = SHARED / "data" / "connector-payloads" / vendor / f"{name}.json"
    if not file.exists():
        pytest.skip(f"No samples of {vendor} in {SHARED}.")
    return json.loads(file.read_text())
