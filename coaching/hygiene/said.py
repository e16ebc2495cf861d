"""What a memory says, held against another."""

from functools import cached_property

from coaching.hygiene.claims import Relation, Verdict, compare
from coaching.hygiene.sentences import Sentence
from coaching.hygiene.words import SENTENCE
from coaching.texts.alike import SHARED_LETTERS, SHARED_WORDS, Text

SAME_TEXT = 0.8  # of the words of two long texts, where the summaries are not alike
LONG = 25  # different words that make a text long
SENTENCES = 40  # of a text that are compared


class Said:
    """What a memory says, made ready to be compared with many others: its summary, and its text where that says more."""

    def __init__(self, summary: str, text: str = ""):
        self.summary, self.text = summary, "" if text.strip() == summary.strip() else text.strip()
        self.near = Text(summary)
        self.said = Sentence(summary)

    @cached_property
    def words_of_text(self) -> frozenset[str]:
        return Text(self.text).words

    @cached_property
    def sentences(self) -> list[Sentence]:
        return [Sentence(each) for each in SENTENCE.split(self.text)[:SENTENCES] if each.strip()]

    def is_near(self, other: "Said") -> bool:
        """Whether their summaries, or their long texts, are near in words."""
        return (
            _alike(self.near.letters, other.near.letters)
            or _share(self.said.shape, other.said.shape) >= SHARED_WORDS
            or self._texts_near(other)
        )

    def _texts_near(self, other: "Said") -> bool:
        one, two = self.words_of_text, other.words_of_text
        return min(len(one), len(two)) >= LONG and _share(one, two) >= SAME_TEXT

    def compare(self, other: "Said") -> Verdict | None:
        """What the two are to each other; None where they are not near."""
        if not self.is_near(other):
            return None
        verdict = compare(self.said, other.said)
        if verdict.relation == Relation.DUPLICATE and self.text and other.text:
            return self._compare_texts(other) or verdict
        if verdict.relation == Relation.SIMILAR and self.text and self.text.split() == other.text.split():
            return Verdict(Relation.DUPLICATE, "The texts are the same", verdict.first, verdict.second)
        return verdict

    def _compare_texts(self, other: "Said") -> Verdict | None:
        """Two summaries that say the same over two texts: what the texts are to each other; None where they say no more."""
        if self.text.split() == other.text.split():
            return None
        for one in self.sentences:
            for two in other.sentences:
                if _share(one.shape, two.shape) >= SHARED_WORDS:
                    verdict = compare(one, two)
                    if verdict.relation == Relation.CONTRADICTION:
                        return verdict
        if _share(self.words_of_text, other.words_of_text) >= SHARED_WORDS:
            return None
        return Verdict(Relation.SIMILAR, "The summaries say the same, the texts do not")


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether the runs of three letters of two texts are nearly the same ones, as in `coaching.texts.alike`."""
    either = len(one) + len(other)
    return bool(either) and 2 * len(one & other) / either >= SHARED_LETTERS


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    either = len(one | other)
    return len(one & other) / either if either else 0.0
