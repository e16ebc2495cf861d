"""The papers hold: links lead somewhere, every paper is in the index, and the list of dependencies is the truth."""

import importlib.metadata
import re
from itertools import chain, pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from django.apps import apps
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[1]
PAPERS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in chain(ROOT.glob("*.md"), (ROOT / "docs").rglob("*.md"), ROOT.glob("tests/**/README.md"))
)
DEPENDENCIES = (ROOT / "docs" / "dependencies.md").read_text()
LISTS = {
    "What the product runs on": "requirements.in",
    "With PostgreSQL": "requirements-postgres.in",
    "For tests and checks": "requirements-dev.in",
}
# Packages that no line of ours imports: where they are named instead.
NAMED_IN = {
    "django-stubs": ("pyproject.toml", "mypy_django_plugin"),
    "djangorestframework-stubs": ("pyproject.toml", "mypy_drf_plugin"),
    "djlint": ("Makefile", "-m djlint"),
    "import-linter": ("Makefile", "lint-imports"),
    "mypy": ("Makefile", "-m mypy"),
    "psycopg": ("config/settings.py", "DATABASE_URL"),
    "pytest-django": ("pyproject.toml", "DJANGO_SETTINGS_MODULE"),
    "pytest-randomly": ("pyproject.toml", "-p no:randomly"),
    "redis": ("config/settings.py", "REDIS_URL"),
    "ruff": ("Makefile", "-m ruff"),
    "uvicorn": ("config/product.py", '"uvicorn"'),
}
IMPORTED_AS = {
    "axe-playwright-python": "axe_playwright_python",
    "django-environ": "environ",
    "django-filter": "django_filters",
    "django-simple-history": "simple_history",
    "djangorestframework": "rest_framework",
    "drf-spectacular": "drf_spectacular",
    "markdown-it-py": "markdown_it",
    "pyyaml": "yaml",
    "slack-sdk": "slack_sdk",
    "time-machine": "time_machine",
}


# --- Links -----------------------------------------------------------------------------------------------------------


def tokens(paper):
    found = MarkdownIt("commonmark").enable("table").parse((ROOT / paper).read_text())
    return chain.from_iterable([token, *(token.children or ())] for token in found)


def targets(paper):
    """Where the links and pictures of a paper lead."""
    for token in tokens(paper):
        if address := token.attrs.get("href") or token.attrs.get("src"):
            yield str(address)
        if token.type in ("html_block", "html_inline"):
            yield from re.findall(r'\b(?:src|srcset|href)="([^"]+)"', token.content)


def anchors(paper):
    """The names of a paper's headings, as GitHub makes them."""
    found = MarkdownIt().enable("table").parse((ROOT / paper).read_text())
    for opening, inline in pairwise(found):
        if opening.type == "heading_open":
            words = "".join(child.content for child in inline.children or ())
            yield re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")


@pytest.mark.parametrize("paper", PAPERS)
def test_links_lead_somewhere(paper):
    astray = []
    for target in targets(paper):
        parts = urlsplit(target)
        if parts.scheme:
            continue
        there = ((ROOT / paper).parent / unquote(parts.path)).resolve() if parts.path else ROOT / paper
        is_there = there.exists() and there.is_relative_to(ROOT)
        if not is_there or (parts.fragment and parts.fragment not in anchors(there.relative_to(ROOT).as_posix())):
            astray.append(target)

    assert astray == []


def test_every_paper_is_in_its_index():
    docs = ROOT / "docs"
    indexed = {unquote(urlsplit(target).path) for target in targets("docs/README.md")}
    decisions = {unquote(urlsplit(target).path) for target in targets("docs/decisions/README.md")}

    assert {path.name for path in docs.glob("[a-z]*.md")} <= indexed
    assert {path.name for path in (docs / "decisions").glob("[0-9]*.md")} == decisions


def test_every_picture_is_shown_somewhere():
    shown = {((ROOT / paper).parent / target).resolve() for paper in PAPERS for target in targets(paper)}

    assert set((ROOT / "docs" / "images").iterdir()) - shown == set()


@pytest.mark.parametrize("paper", PAPERS)
def test_paths_and_targets_that_a_paper_names_are_there(paper):
    """Files of the house as `folder/name`. The vendor acme and names in capitals stand for others; .env is an operator's own."""
    text = (ROOT / paper).read_text()
    tops = "agents|memories|helpdesk|coaching|config|templates|static|tests|docs|bin"
    named = set(re.findall(rf"`((?:{tops})/[\w./-]*)`", text)) | set(re.findall(r"\btests/[\w/]+\.py\b", text))
    commands = set(re.findall(r"^make ([a-z-]+)", text, re.M))

    ours = {path for path in named if "acme" not in path and "/.env" not in path and path == path.lower()}
    assert {path for path in ours if not (ROOT / path).exists()} == set(), "not there"
    assert commands <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def test_models_that_the_glossary_names_are_there():
    text = (ROOT / "docs" / "glossary.md").read_text()
    named = set(re.findall(r"`((?:agents|memories|helpdesk|coaching)\.[A-Z]\w+)`", text))

    assert len(named) > 20
    assert named <= {model._meta.label for model in apps.get_models()}


# --- Dependencies ----------------------------------------------------------------------------------------------------


def rows(title):
    """{package: (versions, licence)} of the table below a heading."""
    section = DEPENDENCIES.partition(f"## {title}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \| ([^|]+?) \| [^|]+ \|$", section, re.M)
    return {name: told for name, *told in found if name not in ("Package", "Files") and not name.startswith("-")}


def asked(filename):
    """{package: versions} of a list of requirements."""
    lines = (ROOT / filename).read_text().splitlines()
    found = (re.match(r"([a-z][\w-]*)(?:\[[\w,]+\])?([<>=!~].*)$", line.partition("#")[0].strip()) for line in lines)
    return {match[1]: match[2] for match in found if match}


PACKAGES = sorted({name for filename in LISTS.values() for name in asked(filename)})


@pytest.mark.parametrize(("title", "filename"), LISTS.items())
def test_list_of_dependencies_is_what_is_installed(title, filename):
    assert {name: versions for name, (versions, _) in rows(title).items()} == asked(filename)


@pytest.mark.parametrize("package", PACKAGES)
def test_licence_is_what_the_package_says_of_itself(package):
    try:
        package_said = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed here.")
    told = package_said.metadata
    classified = [line for line in told.get_all("Classifier") or () if line.startswith("License")]
    said = " ".join(filter(None, [told.get("License-Expression"), told.get("License"), *classified]))
    if not said:
        said = " ".join(path.read_text() for path in package_said.files or () if path.name.startswith("LICEN"))
    licence = next(rows(title)[package][1] for title in LISTS if package in rows(title))

    families = re.findall(r"MIT|BSD|Apache|LGPL|GPL|MPL", licence)
    assert families
    assert all(family in said for family in families), said[:300]


@pytest.mark.parametrize("package", PACKAGES)
def test_package_is_used(package):
    if package == "async-timeout":
        assert any(line.startswith("async-timeout") for line in importlib.metadata.requires("redis") or ())
        return
    if package in NAMED_IN:
        filename, words = NAMED_IN[package]
        assert words in (ROOT / filename).read_text()
        return
    module = IMPORTED_AS.get(package, package)
    line = re.compile(rf"^\s*(?:from|import) {module}\b", re.M)
    places = [ROOT / top for top in ("agents", "memories", "helpdesk", "coaching", "config")]
    if package in asked("requirements-dev.in"):
        places.append(ROOT / "tests")
    files = chain.from_iterable(place.rglob("*.py") for place in places)
    assert any(line.search(path.read_text()) for path in files), f"{module} is imported nowhere"


def test_vendored_files_have_a_version_and_a_licence():
    folders = sorted((ROOT / "static" / "vendor").iterdir())

    told = {re.sub(r"\[(.+?)\]\(.*\)", r"\1", name): versions for name, versions in rows("Vendored files").items()}
    assert [folder.name for folder in folders] == sorted(f"{name}-{version}" for name, (version, _) in told.items())
    for folder in folders:
        licence = (folder / "LICENSE").read_text()
        assert re.search("Zero-Clause BSD|SIL OPEN FONT LICENSE", licence, re.I), folder.name


def test_what_is_not_ours_stands_among_the_vendored_files():
    foreign = {".woff", ".woff2", ".ttf", ".otf", ".eot"}

    found = [path for path in (ROOT / "static").rglob("*") if path.suffix in foreign or ".min." in path.name]
    assert found
    assert all(path.is_relative_to(ROOT / "static" / "vendor") for path in found)
