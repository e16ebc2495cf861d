"""Runs of words that a text shares with a body it was written about.

The body of a helpdesk conversation is not ours to keep, so nothing we store may hold RUN or more consecutive words of
it: a summary that does is refused, and in a coach's answer the run becomes a reference to its turn.
"""

import re
from dataclasses import dataclass

RUN = 12

# Scripts that write no spaces between words count by the character: a run of twelve must not hide in one "word".
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")

Gram = int  # the hash of RUN words: a long transcript has hundreds of thousands of runs


def words(text: str) -> list[str]:
    """The words of a text, in lower case and without punctuation."""
    return [match[0].casefold() for match in WORD.finditer(text)]


def grams(of: list[str]) -> list[Gram]:
    """Every run of RUN consecutive words, in their order."""
    return [hash(tuple(of[index : index + RUN])) for index in range(len(of) - RUN + 1)]


def shares_run(text: str, body: str) -> bool:
    """Whether the text holds RUN or more consecutive words of the body."""
    own = set(grams(words(text)))
    return bool(own) and not own.isdisjoint(grams(words(body)))


@dataclass
class _Word:
    start: int
    end: int
    turn: int | None = None  # the turn whose run this word is part of


class Guard:
    """Lets a streamed text through, RUN - 1 words late, with every shared run replaced by a reference to its turn.

        guard.know({3: "the text of turn 3", …})
        stored += guard.add(piece) … stored += guard.flush()

    A guard that knows no body lets everything through at once.
    """

    def __init__(self) -> None:
        self.turn_of: dict[Gram, int] = {}
        self.text = ""  # what is not let through yet
        self.words: list[_Word] = []  # the words in it, and before those the last ones let through
        self.recent: list[str] = []
        self.scanned = 0
        self.inside: int | None = None

    def know(self, turns: dict[int, str]) -> None:
        """Guard the text of these turns, which follow on each other, from here on."""
        said = [(word, turn) for turn, text in turns.items() for word in words(text)]
        for gram, (_, turn) in zip(grams([word for word, _ in said]), said, strict=False):
            self.turn_of.setdefault(gram, turn)

    def finds_run(self, text: str) -> bool:
        """Whether a whole text holds a run of a turn that is guarded."""
        return bool(self.turn_of) and not self.turn_of.keys().isdisjoint(grams(words(text)))

    def add(self, piece: str) -> str:
        """Take in the next piece, give out what can be stored now."""
        self.text += piece
        if not self.turn_of:
            return self._let_through(len(self.text), ended=True)
        self._scan(ended=False)
        undecided = self.words[-(RUN - 1) :]
        return self._let_through(undecided[0].start if undecided else self.scanned, ended=False)

    def flush(self) -> str:
        """Give out the rest: the text is at its end."""
        self._scan(ended=True)
        return self._let_through(len(self.text), ended=True)

    def _scan(self, *, ended: bool) -> None:
        for match in WORD.finditer(self.text, self.scanned):
            if match.end() == len(self.text) and not ended:
                return  # the word may go on in the next piece
            self.scanned = match.end()
            self.words.append(_Word(match.start(), match.end()))
            self.recent = [*self.recent[-(RUN - 1) :], match[0].casefold()]
            turn = self.turn_of.get(hash(tuple(self.recent)))
            if turn is not None:
                for word in self.words[-RUN:]:
                    word.turn = turn if word.turn is None else word.turn

    def _let_through(self, until: int, *, ended: bool) -> str:
        out, position = [], 0
        while self.words and (ended or self.words[0].start < until):
            word = self.words.pop(0)
            if word.turn is None:
                out.append(self.text[position : word.end])
            elif word.turn != self.inside:
                out.append(f"{self.text[position : word.start]}[turn {word.turn}]")
            self.inside = word.turn
            position = word.end
        if ended or self.inside is None:
            out.append(self.text[position:until])
            position = max(position, until)
        self.text = self.text[position:]
        self.scanned = max(0, self.scanned - position)
        for word in self.words:
            word.start -= position
            word.end -= position
        return "".join(out)
