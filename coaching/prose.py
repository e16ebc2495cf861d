"""How Markdown is read, wherever it is shown."""

from markdown_it import MarkdownIt

# Links and pictures stay as they were typed: what a transcript talked a model into writing can neither be followed nor
# fetched, and its address is in plain sight.
PARSER = MarkdownIt("commonmark").disable(["link", "image", "autolink", "reference", "html_inline", "html_block"])
