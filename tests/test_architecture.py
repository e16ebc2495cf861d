"""The direction of imports, read from the source. `make lint` holds the one inside an app too (import-linter)."""

import ast
import re
from pathlib import Path
from pydoc import locate

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "config": {"config", "coaching", "memories", "helpdesk", "agents"},
    "coaching": {"coaching", "memories", "helpdesk", "agents"},
    "memories": {"memories", "agents"},
    "helpdesk": {"helpdesk", "agents"},
    "agents": {"agents"},
}
PURE = [
    "coaching/csat/effects.py",
    "coaching/texts/risk.py",
    "coaching/trajectory.py",
    "coaching/texts/verbatim.py",
    "helpdesk/masking.py",
]
PAGE = ROOT / "docs" / "architecture.md"
QUOTED = re.compile(r"`([^`\s]+)`")
PLACE = re.compile(r"[\w*/]+(?:/|\.(?:py|js|html|md))")
MODULES = sorted(path.relative_to(ROOT) for app in MAY_IMPORT for path in (ROOT / app).rglob("*.py"))


def imports(tree):
    """Return (name, node) for each module that a syntax tree imports by its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module, node


def top_level(name):
    return name.partition(".")[0]


def parsed(path):
    return ast.parse((ROOT / path).read_text(), filename=str(path))


def at_the_top(tree):
    """Return the import statements at the top of a file: outside functions and classes, or for type checkers only."""
    blocks = [node.body for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    return {id(node) for block in [tree.body, *blocks] for node in block}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_app_imports_only_what_lies_below_it(path):
    found = {top_level(name) for name, _ in imports(parsed(path))} & MAY_IMPORT.keys()

    assert found - MAY_IMPORT[path.parts[0]] == set()


def test_no_module_leads_back_to_itself():
    """Which of two that need each other works would hang on which is imported first."""
    names = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in MODULES}
    uses = {name: {used for used in used_by(parsed(path), names) if used != name} for name, path in names.items()}
    while ends := {name for name, used in uses.items() if not used}:
        uses = {name: used - ends for name, used in uses.items() if name not in ends}
    # What is left stands in a circle or uses one: those that nobody left uses are no part of any.
    while starts := uses.keys() - set().union(*uses.values(), set()):
        uses = {name: used for name, used in uses.items() if name not in starts}

    assert uses == {}


def used_by(tree, names):
    """Yield the modules among `names` that a syntax tree imports, a name that is imported from a package as its module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from found & names.keys()
            if found - names.keys() and node.module in names:
                yield node.module


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_stand_at_the_top(path):
    tree = parsed(path)
    top = at_the_top(tree)

    late = [(f"{path}:{node.lineno}", name) for name, node in imports(tree) if id(node) not in top]
    assert [one for one in late if str(path) != "coaching/sdk.py"] == []  # which exists to read it late


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[0] == "config"], ids=str)
def test_settings_are_read_through_django(path):
    found = [name for name, _ in imports(parsed(path)) if name.startswith("config.settings")]

    assert found == []


@pytest.mark.parametrize("path", PURE)
def test_pure_decisions_know_no_django_and_no_rows(path):
    pure = {path.removesuffix(".py").replace("/", ".") for path in PURE}
    found = {name for name, _ in imports(parsed(Path(path)))} - pure

    assert {top_level(name) for name in found} & {"django", "rest_framework", "celery", *MAY_IMPORT} == set()


def test_environment_is_read_in_the_settings_only():
    """Entry points say where the settings are, and child processes get what their parent has."""
    readers = {str(path) for path in MODULES if {"os.environ", "os.getenv"} & dotted_names(parsed(path))}

    assert readers == {"config/asgi.py", "config/beat.py", "config/celery.py", "config/supervisor.py"}


def test_pages_start_work_in_one_way():
    """`work.start_soon` survives a queue that cannot be reached. Tasks speak to it as they like: the clock looks again, and
    survives it by itself.
    """
    senders = {
        str(path)
        for path in MODULES
        if any(name.endswith((".delay", ".apply_async")) for name in dotted_names(parsed(path)))
    }

    assert senders == {"agents/work.py", "coaching/tasks.py", "config/beat.py", "helpdesk/views/hooks.py"}


def dotted_names(tree):
    return {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_what_the_page_of_the_house_names_is_there():
    """A name without a folder stands in one that its line names before it, or beside that."""
    missing, drawn = [], False
    for line in PAGE.read_text().splitlines():
        drawn = drawn != line.startswith("```")
        around = [ROOT, ROOT / "coaching"] if drawn else [ROOT]
        for name in PLACE.findall(line) if drawn else QUOTED.findall(line):
            if PLACE.fullmatch(name):
                found = [path for folder in around for path in folder.glob(name.rstrip("/"))]
                around += [folder for path in found for folder in (path.parent, path)]
                missing += [] if found else [name]
            elif name.partition(".")[0] in MAY_IMPORT and "." in name:
                missing += [] if locate(name) else [name]

    assert missing == []
