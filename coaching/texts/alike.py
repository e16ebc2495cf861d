"""Whether two short texts say nearly the same: by their words in any order, and by the letters inside the words.

Pure. It knows no language: endings ("Erstattung", "Erstattungen") and scripts without spaces are met by runs of three
letters. It cannot know meaning: "is" and "is not" are alike to it, so it only ever asks for a second look.
"""

import re
import unicodedata

SHARED_WORDS = 0.6  # of all words of both
SHARED_LETTERS = 0.72  # of the runs of three letters of both
LONGEST = 2_000  # characters that are compared


class Text:
    """A text made ready to be compared with many others."""

    def __init__(self, text: str):
        found = re.findall(r"\w+", unicodedata.normalize("NFKC", text[:LONGEST]).casefold())
        self.words = frozenset(found)
        self.letters = frozenset(f" {word} "[at : at + 3] for word in self.words for at in range(len(word)))
        self.numbers = frozenset(word for word in found if any(letter.isdigit() for letter in word))

    def like(self, other: "Text") -> bool:
        """Whether they say nearly the same. Two numbers in the same sentence are one: a fact and its correction."""
        both, either = len(self.words & other.words), len(self.words | other.words)
        if not either:
            return False
        shared = 2 * len(self.letters & other.letters) / (len(self.letters) + len(other.letters))
        return both / either >= SHARED_WORDS or shared >= SHARED_LETTERS

    def claims(self, other: "Text") -> bool:
        """Whether they nearly say the same and every number in them is the same too."""
        return self.numbers == other.numbers and self.like(other)


def alike(one: str, other: str) -> bool:
    return Text(one).like(Text(other))
