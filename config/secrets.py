"""Secrets of the embedded mode: made once, kept in the data directory, readable by its owner only."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet


def kept(path: Path, make: Callable[[], str]) -> str:
    """Return the secret in `path`; if there is none yet, make it, exactly once however many processes start together."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: its secret is the one that counts
        finally:
            draft.unlink()
    return path.read_text().strip()


def signing_key() -> str:
    return secrets.token_urlsafe(50)


def field_key() -> str:
    return Fernet.generate_key().decode()
