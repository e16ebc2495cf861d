"""docs/helpdesks.md says what the product says: the steps of each vendor, its fields, and every sentence a call can fail with."""

import re
from pathlib import Path

import pytest

from helpdesk.vendors.registry import VENDORS

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "helpdesks.md").read_text()
GENERIC = "Any other desk: the signed hook"


def section(title):
    """The words below a heading, up to the next."""
    assert f"# {title}\n" in DOC, f"docs/helpdesks.md has no section {title}"
    return re.split(r"^#+ ", DOC.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.M)[0]


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS.keys())
def test_steps_of_a_vendor_are_those_of_its_page(vendor):
    words = section(vendor.label if vendor.reads else GENERIC)

    items = re.findall(r"^\d+\. (.*(?:\n {3}.*)*)", words, flags=re.M)
    assert [" ".join(item.split()) for item in items] == [
        " ".join(step.replace("{webhook}", "the webhook address").split()) for step in vendor.set_up
    ]


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS.keys())
def test_command_of_a_vendor_names_its_fields(vendor):
    (command,) = re.findall(
        rf"`manage\.py connect {vendor.name} --workspace SLUG (.*?)`",
        section(vendor.label if vendor.reads else GENERIC),
    )

    named = [word.partition("=")[0] for word in command.split()]
    assert [name for name in named if name != "base_url"] == [field.name for field in vendor.fields]


def test_every_sentence_of_a_failed_call_is_explained():
    source = (ROOT / "helpdesk" / "vendors" / "wire.py").read_text()
    said = set(re.findall(r'f"((?:\{self\.label\}|There is no|The c)[^"]*)"', source))

    beginnings = {
        re.sub(r"\{self\.label\}", "NAME", words).partition(" ({")[0].partition(" {MOST")[0].partition("? ")[0]
        for words in said
    }
    assert len(beginnings) > 10
    assert {words for words in beginnings if words.split(" Is the address")[0].rstrip(".") not in DOC} == set()
