"""Which module searches on which database."""

from memories.search import postgresql, sqlite

ENGINES = {"sqlite": sqlite, "postgresql": postgresql}
