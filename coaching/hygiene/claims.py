"""What two near sentences are to each other, and why."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from coaching.hygiene.sentences import Amount, Sentence, Turn, Word


class Relation(StrEnum):
    """From the most serious to the least."""

    CONTRADICTION = "contradiction"
    DUPLICATE = "duplicate"
    SIMILAR = "similar"


@dataclass(frozen=True)
class Verdict:
    """What two memories are to each other. `first` and `second` are the words of each that made it so, as they are written;
    `reason` tells it in words."""

    relation: Relation
    reason: str
    first: tuple[str, ...] = ()
    second: tuple[str, ...] = ()


def compare(one: Sentence, other: Sentence) -> Verdict:
    """What two near sentences are to each other."""
    left, right = _leftover(one, other)
    names = [[a.written for a in side if a.names] for side in _differing(one, other)]
    left, right = left + names[0], right + names[1]
    if left and right:
        return Verdict(Relation.SIMILAR, f"{_told(left)} here, {_told(right)} there", tuple(left), tuple(right))
    if left or right:
        return Verdict(Relation.SIMILAR, f"Only one says {_told(left or right)}", tuple(left), tuple(right))
    if one.asks != other.asks:
        return Verdict(Relation.SIMILAR, "One of the two asks")
    if {way for way, _ in one.ways} == {way for way, _ in other.ways} and one.ways != other.ways:
        return Verdict(Relation.SIMILAR, "The same words the other way round")
    return _compare_claims(one, other)


def _compare_claims(one: Sentence, other: Sentence) -> Verdict:
    """Two sentences of one subject: their amounts, and whether one turns the other round."""
    here, there = _differing(one, other)
    written = (tuple(a.written for a in here), tuple(a.written for a in there))
    turns = _opposed(one, other)
    if (here or there) and turns:
        return Verdict(Relation.SIMILAR, "Both the amount and the case differ", *written)
    if len(here) == len(there) == 1 and here[0].against(there[0]) and not one.asks:
        return Verdict(Relation.CONTRADICTION, f"{_told(written[0])} against {_told(written[1])}", *written)
    if here and there:
        return Verdict(Relation.SIMILAR, f"{_told(written[0])} here, {_told(written[1])} there", *written)
    if here or there:
        return Verdict(Relation.SIMILAR, f"Only one says {_told(written[0] or written[1])}", *written)
    if not turns:
        return Verdict(Relation.DUPLICATE, "Both say the same")
    marked = (tuple(a.written for a, _ in turns if a), tuple(b.written for _, b in turns if b))
    names = {turn.name for pair in turns for turn in pair if turn}
    if len(turns) == 2 and "not" in names and not names & {"before", "with"}:
        return Verdict(Relation.DUPLICATE, "Both say the same", *marked)  # "forbidden" is "not allowed"
    if len(turns) > 1 or one.asks or not all(turn.claims for pair in turns for turn in pair if turn):
        return Verdict(Relation.SIMILAR, "They speak of different cases", *marked)
    reason = (
        " against ".join(_told(words) for words in marked)
        if all(marked)
        else f"{_told(marked[0] or marked[1])} in one only"
    )
    return Verdict(Relation.CONTRADICTION, reason, *marked)


def _leftover(one: Sentence, other: Sentence) -> tuple[list[str], list[str]]:
    """The words of each that the other has in no form."""
    left, right = _without(one.words, other.words), _without(other.words, one.words)
    for word in list(left):
        same = next((each for each in right if _is_form(word.key, each.key)), None)
        if same is not None:
            left.remove(word)
            right.remove(same)
    names = [{turn.name for turn in side.turns} for side in (one, other)]
    missing = [
        [turn.written for turn in side.turns if turn.name not in others and _says_something(turn)]
        for side, others in ((one, names[1]), (other, names[0]))
    ]
    found = [word.written for word in left] + missing[0], [word.written for word in right] + missing[1]
    return list(dict.fromkeys(found[0])), list(dict.fromkeys(found[1]))


def _without(words: Sequence[Word], others: Sequence[Word]) -> list[Word]:
    """The words that the others do not have, or not as often."""
    more = Counter(word.key for word in words) - Counter(word.key for word in others)
    found = []
    for word in reversed(words):
        if more[word.key] > 0:
            more[word.key] -= 1
            found.append(word)
    return found[::-1]


def _says_something(turn: Turn) -> bool:
    """Whether it counts as a word where the other sentence has neither it nor its opposite."""
    return turn.name != "not" and turn.written.casefold() not in {"with", "within"}


def _is_form(one: str, other: str) -> bool:
    """Whether two words of a script with capitals are forms, or spellings, of one."""
    if min(len(one), len(other)) < 5 or one[:4] != other[:4] or one.upper() == one:
        return False
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= 0.85


def _differing(one: Sentence, other: Sentence) -> tuple[list[Amount], list[Amount]]:
    """The amounts of each that the other does not have."""
    keys = [{amount.key for amount in side.amounts} for side in (one, other)]
    return [a for a in one.amounts if a.key not in keys[1]], [a for a in other.amounts if a.key not in keys[0]]


def _opposed(one: Sentence, other: Sentence) -> list[tuple[Turn | None, Turn | None]]:
    """What turns one of the two round against the other: a word and its opposite, or a "not" on one side."""
    found: list[tuple[Turn | None, Turn | None]] = []
    here, there = ({turn.name: turn for turn in side.turns if turn.name != "not"} for side in (one, other))
    found += [(here[name], there[name]) for name in here if name in there and here[name].turned != there[name].turned]
    nots = [[turn for turn in side.turns if turn.name == "not"] for side in (one, other)]
    if len(nots[0]) % 2 != len(nots[1]) % 2:
        found.append((nots[0][-1] if nots[0] else None, nots[1][-1] if nots[1] else None))
    return found


def _told(words: Sequence[str]) -> str:
    return ", ".join(f"“{word}”" for word in words[:4]) + (" …" if len(words) > 4 else "")
