"""How Markdown is read, wherever it is shown."""

from markdown_it import MarkdownIt

# Links and pictures stay as they were typed: what a transcript talked a model into writing can neither be followed nor
# fetched, and its address is in plain sight.
# What lies deeper than the bound is not read at all: its own of 20 swallows the tenth level of a list.
PARSER = MarkdownIt("commonmark", {"maxNesting": 100}).disable(
    ["link", "image", "autolink", "reference", "html_inline", "html_block"]
)
