"""What the model is told, one Markdown file a job."""

from functools import cache
from pathlib import Path


@cache
def read(job: str) -> str:
    """The instructions for a job: "coach", "summary" or "agenda"."""
    return (Path(__file__).parent / f"{job}.md").read_text()
