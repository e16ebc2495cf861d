"""One sentence taken apart: the words that say something, its amounts, what turns it round."""

import re
from dataclasses import dataclass

from coaching.hygiene.words import (
    ASKING,
    BE,
    CLOCK,
    CONDITION,
    ENDS,
    FROM_TO,
    FROM_TO_NUMBER,
    HYPHENED,
    MEASURING,
    MONEY,
    MONTHS,
    NAMING,
    NOT,
    NUMBERS,
    PRICE_WORDS,
    SAYS_WHICH,
    SCRIPT_UNITS,
    SHORT,
    SIGNS,
    STATES,
    TEACHING,
    TERM_KEYS,
    THOUSANDS,
    TOKEN,
    TURN_KEYS,
    TURNS,
    UNITS,
    WEAK,
    WEAK_KEYS,
    YEAR,
    key_of,
    stem,
)


@dataclass(frozen=True)
class Word:
    """A word that says something: as written, and what it is compared by."""

    written: str
    key: str


@dataclass(frozen=True)
class Amount:
    """A number with its unit, from `low` to `high`. `names` where it names rather than measures ("Windows 10")."""

    kind: str
    low: float
    high: float
    written: str
    names: bool

    @property
    def key(self) -> tuple[str, float, float]:
        return self.kind, self.low, self.high

    def holds(self, other: "Amount") -> bool:
        """Whether the other one lies within this range."""
        return self.low <= other.low and other.high <= self.high

    def against(self, other: "Amount") -> bool:
        """Whether both cannot be true of one thing."""
        if self.names or other.names:
            return False
        if self.kind == other.kind == "clock":
            return True  # hours within hours are other hours; 4 days within 3-5 days are not
        if self.holds(other) or other.holds(self):
            return False
        one, two = sorted((self, other), key=lambda amount: amount.kind)
        if "free" in (one.kind, two.kind):
            return bool({one.kind, two.kind} & MONEY)
        if (one.kind, two.kind) == ("months", "time"):
            return not 28 * 1440 * one.low <= two.low <= 31 * 1440 * one.low  # a month is some 30 days
        return one.kind == two.kind


@dataclass(frozen=True)
class Turn:
    """A word that turns a sentence round, or what it is the opposite of: ("open", True) for "closed". `claims` is false where
    it only says which cases are meant."""

    name: str
    turned: bool
    written: str
    claims: bool


class Sentence:
    """One sentence, taken apart."""

    def __init__(self, text: str):
        text = HYPHENED.sub(r"\1", text.replace("’", "'"))
        text = FROM_TO_NUMBER.sub(r"\1-\2", text)
        self.tokens = _tokens(text)
        first = self.tokens[0][1] if self.tokens else ""
        self.asks = (text.rstrip().endswith("?") and first in ASKING) or first in TEACHING
        self.words: list[Word] = []
        self.amounts: list[Amount] = []
        self.turns: list[Turn] = []
        self.ways: set[tuple[str, str]] = set()  # (preposition, what follows it): "from A to B" is not "from B to A"
        self._take_apart()
        del self.tokens  # thousands of sentences are held at once
        self.keys = frozenset(word.key for word in self.words)
        self.shape = self.keys | {turn.name for turn in self.turns} - {"not"} | ({"#"} if self.amounts else set())

    def _plain(self, at: int) -> str:
        return self.tokens[at][1] if 0 <= at < len(self.tokens) else ""

    def _take_apart(self) -> None:
        after_verb = in_condition = False
        has_end = any(plain in ENDS for _, plain in self.tokens)
        self.has_amount = any(plain in {"free", "no"} or _range(plain) for _, plain in self.tokens)
        at = 0
        while at < len(self.tokens):
            written, plain = self.tokens[at]
            if plain in CONDITION:
                in_condition = True
            elif plain in {",", ";", ":"}:
                in_condition = False
            range_ = _range(plain)
            if range_ is not None and not (plain == "one" and self._plain(at + 1) not in UNITS):
                at += self._add_amount(at, range_, has_end)
                after_verb = True
                continue
            self._add_word(at, written, plain, claims=not in_condition, after_verb=after_verb)
            if plain in FROM_TO:
                follows = (self._plain(n) for n in range(at + 1, at + 4))
                word = next((word for word in follows if word not in WEAK), "")
                self.ways |= {(plain, key_of(word))} if word.isalpha() and word not in NUMBERS else set()
            after_verb = after_verb or plain in BE
            at += 1
        if any(amount.kind == "free" and amount.written[-1].isdigit() for amount in self.amounts):
            self.turns = [turn for turn in self.turns if turn.name != "not"]  # "no fee: $0.00" denies no zero

    def _add_word(self, at: int, written: str, plain: str, *, claims: bool, after_verb: bool) -> None:
        before, after = self._plain(at - 1), self._plain(at + 1)
        key = key_of(plain)
        if (plain == "free" and before in BE and (not after or after in WEAK)) or (
            plain == "no" and not PRICE_WORDS.isdisjoint({after, self._plain(at + 2), self._plain(at + 3)})
        ):
            self.amounts.append(Amount("free", 0.0, 0.0, written, names=False))
        elif plain in NOT and (not at or not written.istitle()):  # "Not Junk" in a sentence is the name of something
            self.turns.append(Turn("not", True, written, claims))
        elif plain in STATES and before in BE:
            self.turns.append(Turn(*STATES[plain], written, claims))
        elif (turn := TURNS.get(plain) or TURN_KEYS.get(key)) is not None:
            self.turns.append(Turn(*turn, written, claims and (plain not in SAYS_WHICH or after_verb)))
        elif not plain[0].isalpha():
            return
        elif at and written[0].isupper() and plain != "i":
            self.words.append(Word(written, key))  # "the US", "in May" are names, not "us" and "may"
        elif plain not in WEAK and key not in WEAK_KEYS and not (plain in PRICE_WORDS and self.has_amount):
            self.words.append(Word(written, key))

    def _add_amount(self, at: int, range_: tuple[float, float], has_end: bool) -> int:
        """Keep the amount that begins at a number; returns how many tokens it takes."""
        written, plain = self.tokens[at]
        before, parts, used = self._plain(at - 1), [written], 1
        kind, times = "", 1.0
        qualifier = {"business": "business ", "working": "business ", "calendar": ""}.get(self._plain(at + 1))
        follow = at + 1 if qualifier is None else at + 2
        unit = self._plain(follow)
        if before in SIGNS:
            kind, parts = UNITS[before][0], [before + written]
            kind = kind if range_[1] else "free"
        elif unit in UNITS:
            kind, times = (qualifier or "") + UNITS[unit][0], UNITS[unit][1]
            used = follow - at + 1
            parts = [token for token, _ in self.tokens[at : at + used]]
        elif unit in {"am", "pm"}:
            kind, times, used = "clock", 60.0, 2
            parts = [written, unit]
            late = 12.0 if unit == "pm" and range_[0] < 12 else 0.0
            range_ = (
                (range_[0] + late, range_[1] + late)
                if ":" not in plain
                else (range_[0] / 60 + late, range_[1] / 60 + late)
            )
        elif ":" in plain:
            kind = "clock"
        elif unit.startswith(SCRIPT_UNITS):
            kind = "script"
        after = self._plain(at + used)
        amount = Amount(
            kind, round(range_[0] * times, 4), round(range_[1] * times, 4), " ".join(parts),
            names=self._names(at, plain, kind, unit if used > 1 else "", after, has_end),
        )  # fmt: skip
        self.amounts.append(amount)
        return used

    def _names(self, at: int, plain: str, kind: str, unit: str, after: str, has_end: bool) -> bool:
        """Whether the number there names something, a date, a version, a plan, rather than measures it."""
        raw, before = self.tokens[at - 1] if at else ("", "")
        if before in MONTHS or (not kind and after in MONTHS) or (not kind and YEAR.fullmatch(plain)):
            return not has_end
        if kind in {"time", "months"}:
            # "the 30-day plan" names a plan; "a 30-day return window" says how long it is.
            one_word = unit in {"minute", "hour", "day", "week", "month", "year"} and plain not in {"1", "one"}
            return bool(one_word and after.isalpha() and after not in WEAK and key_of(after) not in TERM_KEYS)
        if kind:
            return False
        if before in NAMING or stem(before) in NAMING or (at > 1 and raw[:1].isupper()):
            return True
        counts = after.endswith("s") and after.isalpha() and not before.endswith("s")
        return not (before in MEASURING or counts)


def _tokens(text: str) -> list[tuple[str, str]]:
    """(as written, casefolded) of each word, number and sign; "don't" is "do" and "not"."""
    found = []
    for match in TOKEN.finditer(text):
        written = match.group()
        plain = written.casefold()
        if plain in SHORT:
            found += [(written, part) for part in SHORT[plain].split()]
        elif plain.endswith("n't"):
            found += [(written, part) for part in (plain[:-3], "not") if part]
        else:
            found.append((written, plain.removesuffix("'s")))
    return found


def _range(plain: str) -> tuple[float, float] | None:
    """A number, or "3-5", as (low, high); a clock time in minutes; None for a word."""
    if plain in NUMBERS:
        return NUMBERS[plain], NUMBERS[plain]
    if not plain[0].isdecimal():  # "²" is a digit too, and no number
        return None
    ends = [_number(part) for part in re.split("[-–]", plain)]
    return min(ends), max(ends)


def _number(digits: str) -> float:
    if CLOCK.fullmatch(digits):
        hours, minutes = digits.split(":")
        return 60.0 * int(hours) + int(minutes)
    digits = THOUSANDS.sub("", digits).replace(",", ".")
    whole, *parts = re.split("[.:]", digits)
    return float(f"{whole}.{''.join(parts)}" if parts else whole)
