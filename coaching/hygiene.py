"""What two memories are to each other: the same, in contradiction, or near in words and both right.

Pure. A contradiction is only claimed where everything else in the two sentences is the same subject: one amount that differs
("5 days", "3 days"), a "not" on one side, one word against its opposite. Words that differ on both sides ("shoes", "books")
name two subjects, and then nothing is contradicted: whoever looks at a list of false alarms stops looking.

The words it knows are English. In other languages it finds what says the same and amounts that differ, by their numbers and
the usual units; a negation there makes a pair "similar".
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import chain, islice
from operator import itemgetter

import numpy as np

from coaching.alike import SHARED_LETTERS, SHARED_WORDS, Text

SAME_TEXT = 0.8  # of the words of two long texts, where the summaries are not alike
LONG = 25  # different words that make a text long
SENTENCES = 40  # of a text that are compared
MOST = 5_000  # pairs that one look finds
DEEP = 6  # rare members in common before two sets are compared
SLACK = 1e-9  # of fractions


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


# ------------------------------------------------------------------------------------------------------------- words


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SHORT = {"can't": "can not", "cannot": "can not", "won't": "will not", "shan't": "shall not"}
_NUMBERS = {
    name: float(value)
    for value, name in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
         "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"]
    )
} | {"thirty": 30.0, "forty": 40.0, "fifty": 50.0, "sixty": 60.0, "ninety": 90.0, "hundred": 100.0}  # fmt: skip
# unit → (what it measures, how many of the smallest of that)
_UNITS = {
    name: (kind or name, times)
    for names, kind, times in (
        ("second seconds sec sekunden secondes segundos secondi", "time", 1 / 60),
        ("minute minutes min mins minuten minutos minuti", "time", 1),
        ("hour hours hr hrs h stunde stunden heure heures hora horas ora ore uur uren", "time", 60),
        ("day days tag tage tagen jour jours día días dia dias giorno giorni dag dagen", "time", 1440),
        ("week weeks woche wochen semaine semaines semana semanas settimana settimane weken", "time", 7 * 1440),
        ("month months monat monate monaten mois mes meses mese mesi maand maanden", "months", 1),
        ("year years jahr jahre jahren an ans año años ano anos anno anni jaar", "months", 12),
        ("% percent prozent procent", "percent", 1),
        ("€ euro euros eur", "euros", 1),
        ("$ dollar dollars usd", "dollars", 1),
        ("£ pound pounds gbp", "pounds", 1),
        ("cent cents", "cents", 1),
        ("kb", "bytes", 1),
        ("mb", "bytes", 1_000),
        ("gb", "bytes", 1_000_000),
        ("tb", "bytes", 1_000_000_000),
        ("kg", "weight", 1_000),
        ("gram grams g", "weight", 1),
        ("km", "length", 100_000),
        ("cm", "length", 1),
    )
    for name in names.split()
}
_MONEY = {"euros", "dollars", "pounds", "cents"}
_SIGNS = {"$", "€", "£"}
_SCRIPT_UNITS = ("日", "時間", "分", "週間", "か月", "ヶ月", "年", "円", "天", "小时", "元", "일", "시간", "원")

# Words that say how a sentence is put, not what it says.
_WEAK = _set(
    "a an the this that these those of to in on at by for from as be am is are was were been being it its they them their "
    "our we us you your he she his her i my and or so then there here will would shall do does did done has have had having "
    "can may could might should please now currently always all any every each also just simply normally usually generally "
    "typically about approximately around up per via into once take takes taking get gets give "
    "given make made apply applies yes"
)
_PRICE_WORDS = _set("cost costs charge charged charges fee fees price priced amount amounts")  # beside an amount
_SAME = {
    "working": "business", "buy": "purchase", "bought": "purchase", "client": "customer", "shopper": "customer",
    "mandatory": "required", "compulsory": "required", "obligatory": "required", "need": "required", "must": "required",
    "require": "required", "permit": "allow", "permitted": "allow", "e-mail": "email", "mail": "email",
    "reimbursement": "refund", "cancellation": "cancel", "delivery": "deliver", "shipment": "ship", "shipping": "ship",
    "payment": "pay", "telephone": "phone", "replied": "reply", "sent": "send", "paid": "pay", "kept": "keep", "spent": "spend",
    "last": "take",
}  # fmt: skip
_NOT = _set("not no never none nor neither nobody nothing")
# What turns a sentence round: each word, what it is, and whether it is the opposite of that.
_OPPOSITES = (
    ("available", "unavailable"), ("possible", "impossible"), ("valid", "invalid"), ("able", "unable"),
    ("eligible", "ineligible"), ("supported", "unsupported"), ("refundable", "nonrefundable"), ("limited", "unlimited"),
    ("allow", "forbidden"), ("allow", "prohibited"), ("allow", "disallowed"), ("allow", "banned"), ("allow", "forbid"),
    ("required", "optional"), ("required", "voluntary"), ("required", "unnecessary"), ("accept", "refuse"),
    ("accept", "reject"), ("accept", "decline"), ("include", "exclude"), ("before", "after"), ("with", "without"),
    ("transferable", "nontransferable"), ("safe", "unsafe"), ("legal", "illegal"), ("true", "false"),
    ("reversible", "irreversible"), ("encrypted", "unencrypted"), ("correct", "incorrect"),
)  # fmt: skip
_TURNS = {
    **{word: (word, False) for word, _ in _OPPOSITES},
    **{opposite: (word, True) for word, opposite in _OPPOSITES},
    "within": ("before", False),
}
# Of states only: "Open the app" and "Close the app" are two steps, "The app is closed" is a claim.
_STATES = {
    "open": ("open", False), "closed": ("open", True), "on": ("on", False), "off": ("on", True), "enabled": ("on", False),
    "disabled": ("on", True), "active": ("active", False), "inactive": ("active", True), "automatic": ("automatic", False),
    "manual": ("automatic", True), "public": ("public", False), "private": ("public", True),
}  # fmt: skip
_BE = _set("is are be been was were stay stays remain remains must can may will should always not never")
_SAYS_WHICH = frozenset({"before", "after", "within", "with", "without"})  # where they stand before the verb
_CONDITION = _set("if when whenever while unless where who whose which what case")
_FROM_TO = _set("from to into than over under onto")
# Before a number without a unit that measures something.
_MEASURING = _set(
    "is are be was takes take within after before by than least most over under above below about every last lasts "
    "exactly maximum minimum of charge pay pays have has allow allows for = dauern dauert kostet kosten beträgt coûte"
)
_NAMING = _set(
    "version error code step level tier plan section article chapter form model type room terminal gate line ipv http rule "
    "windows iphone android firefox thunderbird release phase part page zone class category number option"
)
_TERMS = _set("return window period trial warranty guarantee limit policy notice term deadline delay retention cap")
_MONTHS = _set(
    "january february march april may june july august september october november december jan feb mar apr jun jul aug sep "
    "sept oct nov dec januar februar märz mai juni juli oktober dezember janvier février avril juin juillet août"
)
_ENDS = _set("end ends ended start starts begin begins expire expires until deadline due launches latest")
_ASKING = _set("how what why where who which whom whose can could do does did is are should when will may")
_TEACHING = _set("how what why where")

_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*(?:[-–]\d+(?:[.,:]\d+)*)?|[$€£%,;:]|[^\W\d_]+(?:'[^\W\d_]+)?")
_CLOCK = re.compile(r"\d{1,2}:\d\d")
_THOUSANDS = re.compile(r"[.,](?=\d{3}(?:\D|$))")
_YEAR = re.compile(r"(?:19|20)\d\d")
_HYPHENED = re.compile(r"\b(non|e)-(?=\w{3})", re.IGNORECASE)
_FROM_TO_NUMBER = re.compile(r"\b(?<!:)(\d+(?::\d\d)?) (?:to|bis|à|-|–) (\d+(?::\d\d)?)\b")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")


def _stem(word: str) -> str:
    """A word without its usual English ending; short ones stay."""
    for ending, put in (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x")):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)] + put
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            word = word[: -len(ending)]
            return word[:-1] if word[-1] == word[-2] and word[-1] != "s" else word.removesuffix("e")
    if word.endswith("s") and len(word) > 3 and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("ll"):
        return word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


@lru_cache(maxsize=50_000)
def _key(plain: str) -> str:
    """What a word is compared by."""
    return _stem(_SAME.get(plain) or _SAME.get(_stem(plain)) or plain)


_WEAK_KEYS = frozenset(_key(word) for word in _WEAK)
_TURN_KEYS = {_key(word): turn for word, turn in _TURNS.items()}
_TERM_KEYS = frozenset(_key(word) for word in _TERMS)


@dataclass(frozen=True)
class _Word:
    """A word that says something: as written, and what it is compared by."""

    written: str
    key: str


@dataclass(frozen=True)
class _Amount:
    """A number with its unit, from `low` to `high`. `names` where it names rather than measures ("Windows 10")."""

    kind: str
    low: float
    high: float
    written: str
    names: bool

    @property
    def key(self) -> tuple[str, float, float]:
        return self.kind, self.low, self.high

    def holds(self, other: "_Amount") -> bool:
        """Whether the other one lies within this range."""
        return self.low <= other.low and other.high <= self.high

    def against(self, other: "_Amount") -> bool:
        """Whether both cannot be true of one thing."""
        if self.names or other.names:
            return False
        if self.kind == other.kind == "clock":
            return True  # hours within hours are other hours; 4 days within 3-5 days are not
        if self.holds(other) or other.holds(self):
            return False
        one, two = sorted((self, other), key=lambda amount: amount.kind)
        if "free" in (one.kind, two.kind):
            return bool({one.kind, two.kind} & _MONEY)
        if (one.kind, two.kind) == ("months", "time"):
            return not 28 * 1440 * one.low <= two.low <= 31 * 1440 * one.low  # a month is some 30 days
        return one.kind == two.kind


@dataclass(frozen=True)
class _Turn:
    """A word that turns a sentence round, or what it is the opposite of: ("open", True) for "closed". `claims` is false where
    it only says which cases are meant."""

    name: str
    turned: bool
    written: str
    claims: bool


class _Sentence:
    """One sentence, taken apart."""

    def __init__(self, text: str):
        text = _HYPHENED.sub(r"\1", text.replace("’", "'"))
        text = _FROM_TO_NUMBER.sub(r"\1-\2", text)
        self.tokens = _tokens(text)
        first = self.tokens[0][1] if self.tokens else ""
        self.asks = (text.rstrip().endswith("?") and first in _ASKING) or first in _TEACHING
        self.words: list[_Word] = []
        self.amounts: list[_Amount] = []
        self.turns: list[_Turn] = []
        self.ways: set[tuple[str, str]] = set()  # (preposition, what follows it): "from A to B" is not "from B to A"
        self._take_apart()
        del self.tokens  # thousands of sentences are held at once
        self.keys = frozenset(word.key for word in self.words)
        self.shape = self.keys | {turn.name for turn in self.turns} - {"not"} | ({"#"} if self.amounts else set())

    def _plain(self, at: int) -> str:
        return self.tokens[at][1] if 0 <= at < len(self.tokens) else ""

    def _take_apart(self) -> None:
        after_verb = in_condition = False
        has_end = any(plain in _ENDS for _, plain in self.tokens)
        self.has_amount = any(plain in {"free", "no"} or _range(plain) for _, plain in self.tokens)
        at = 0
        while at < len(self.tokens):
            written, plain = self.tokens[at]
            if plain in _CONDITION:
                in_condition = True
            elif plain in {",", ";", ":"}:
                in_condition = False
            range_ = _range(plain)
            if range_ is not None and not (plain == "one" and self._plain(at + 1) not in _UNITS):
                at += self._add_amount(at, range_, has_end)
                after_verb = True
                continue
            self._add_word(at, written, plain, claims=not in_condition, after_verb=after_verb)
            if plain in _FROM_TO:
                follows = (self._plain(n) for n in range(at + 1, at + 4))
                word = next((word for word in follows if word not in _WEAK), "")
                self.ways |= {(plain, _key(word))} if word.isalpha() and word not in _NUMBERS else set()
            after_verb = after_verb or plain in _BE
            at += 1
        if any(amount.kind == "free" and amount.written[-1].isdigit() for amount in self.amounts):
            self.turns = [turn for turn in self.turns if turn.name != "not"]  # "no fee: $0.00" denies no zero

    def _add_word(self, at: int, written: str, plain: str, *, claims: bool, after_verb: bool) -> None:
        before, after = self._plain(at - 1), self._plain(at + 1)
        key = _key(plain)
        if (plain == "free" and before in _BE and (not after or after in _WEAK)) or (
            plain == "no" and not _PRICE_WORDS.isdisjoint({after, self._plain(at + 2), self._plain(at + 3)})
        ):
            self.amounts.append(_Amount("free", 0.0, 0.0, written, names=False))
        elif plain in _NOT and (not at or not written.istitle()):  # "Not Junk" in a sentence is the name of something
            self.turns.append(_Turn("not", True, written, claims))
        elif plain in _STATES and before in _BE:
            self.turns.append(_Turn(*_STATES[plain], written, claims))
        elif (turn := _TURNS.get(plain) or _TURN_KEYS.get(key)) is not None:
            self.turns.append(_Turn(*turn, written, claims and (plain not in _SAYS_WHICH or after_verb)))
        elif not plain[0].isalpha():
            return
        elif at and written[0].isupper() and plain != "i":
            self.words.append(_Word(written, key))  # "the US", "in May" are names, not "us" and "may"
        elif plain not in _WEAK and key not in _WEAK_KEYS and not (plain in _PRICE_WORDS and self.has_amount):
            self.words.append(_Word(written, key))

    def _add_amount(self, at: int, range_: tuple[float, float], has_end: bool) -> int:
        """Keep the amount that begins at a number; returns how many tokens it takes."""
        written, plain = self.tokens[at]
        before, parts, used = self._plain(at - 1), [written], 1
        kind, times = "", 1.0
        qualifier = {"business": "business ", "working": "business ", "calendar": ""}.get(self._plain(at + 1))
        follow = at + 1 if qualifier is None else at + 2
        unit = self._plain(follow)
        if before in _SIGNS:
            kind, parts = _UNITS[before][0], [before + written]
            kind = kind if range_[1] else "free"
        elif unit in _UNITS:
            kind, times = (qualifier or "") + _UNITS[unit][0], _UNITS[unit][1]
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
        elif unit.startswith(_SCRIPT_UNITS):
            kind = "script"
        after = self._plain(at + used)
        amount = _Amount(
            kind, round(range_[0] * times, 4), round(range_[1] * times, 4), " ".join(parts),
            names=self._names(at, plain, kind, unit if used > 1 else "", after, has_end),
        )  # fmt: skip
        self.amounts.append(amount)
        return used

    def _names(self, at: int, plain: str, kind: str, unit: str, after: str, has_end: bool) -> bool:
        """Whether the number there names something, a date, a version, a plan, rather than measures it."""
        raw, before = self.tokens[at - 1] if at else ("", "")
        if before in _MONTHS or (not kind and after in _MONTHS) or (not kind and _YEAR.fullmatch(plain)):
            return not has_end
        if kind in {"time", "months"}:
            # "the 30-day plan" names a plan; "a 30-day return window" says how long it is.
            one_word = unit in {"minute", "hour", "day", "week", "month", "year"} and plain not in {"1", "one"}
            return bool(one_word and after.isalpha() and after not in _WEAK and _key(after) not in _TERM_KEYS)
        if kind:
            return False
        if before in _NAMING or _stem(before) in _NAMING or (at > 1 and raw[:1].isupper()):
            return True
        counts = after.endswith("s") and after.isalpha() and not before.endswith("s")
        return not (before in _MEASURING or counts)


def _tokens(text: str) -> list[tuple[str, str]]:
    """(as written, casefolded) of each word, number and sign; "don't" is "do" and "not"."""
    found = []
    for match in _TOKEN.finditer(text):
        written = match.group()
        plain = written.casefold()
        if plain in _SHORT:
            found += [(written, part) for part in _SHORT[plain].split()]
        elif plain.endswith("n't"):
            found += [(written, part) for part in (plain[:-3], "not") if part]
        else:
            found.append((written, plain.removesuffix("'s")))
    return found


def _range(plain: str) -> tuple[float, float] | None:
    """A number, or "3-5", as (low, high); a clock time in minutes; None for a word."""
    if plain in _NUMBERS:
        return _NUMBERS[plain], _NUMBERS[plain]
    if not plain[0].isdecimal():  # "²" is a digit too, and no number
        return None
    ends = [_number(part) for part in re.split("[-–]", plain)]
    return min(ends), max(ends)


def _number(digits: str) -> float:
    if _CLOCK.fullmatch(digits):
        hours, minutes = digits.split(":")
        return 60.0 * int(hours) + int(minutes)
    digits = _THOUSANDS.sub("", digits).replace(",", ".")
    whole, *parts = re.split("[.:]", digits)
    return float(f"{whole}.{''.join(parts)}" if parts else whole)


# --------------------------------------------------------------------------------------------------------- two sentences


def _compare(one: _Sentence, other: _Sentence) -> Verdict:
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


def _compare_claims(one: _Sentence, other: _Sentence) -> Verdict:
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


def _leftover(one: _Sentence, other: _Sentence) -> tuple[list[str], list[str]]:
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


def _without(words: Sequence[_Word], others: Sequence[_Word]) -> list[_Word]:
    """The words that the others do not have, or not as often."""
    more = Counter(word.key for word in words) - Counter(word.key for word in others)
    found = []
    for word in reversed(words):
        if more[word.key] > 0:
            more[word.key] -= 1
            found.append(word)
    return found[::-1]


def _says_something(turn: _Turn) -> bool:
    """Whether it counts as a word where the other sentence has neither it nor its opposite."""
    return turn.name != "not" and turn.written.casefold() not in {"with", "within"}


def _is_form(one: str, other: str) -> bool:
    """Whether two words of a script with capitals are forms, or spellings, of one."""
    if min(len(one), len(other)) < 5 or one[:4] != other[:4] or one.upper() == one:
        return False
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= 0.85


def _differing(one: _Sentence, other: _Sentence) -> tuple[list[_Amount], list[_Amount]]:
    """The amounts of each that the other does not have."""
    keys = [{amount.key for amount in side.amounts} for side in (one, other)]
    return [a for a in one.amounts if a.key not in keys[1]], [a for a in other.amounts if a.key not in keys[0]]


def _opposed(one: _Sentence, other: _Sentence) -> list[tuple[_Turn | None, _Turn | None]]:
    """What turns one of the two round against the other: a word and its opposite, or a "not" on one side."""
    found: list[tuple[_Turn | None, _Turn | None]] = []
    here, there = ({turn.name: turn for turn in side.turns if turn.name != "not"} for side in (one, other))
    found += [(here[name], there[name]) for name in here if name in there and here[name].turned != there[name].turned]
    nots = [[turn for turn in side.turns if turn.name == "not"] for side in (one, other)]
    if len(nots[0]) % 2 != len(nots[1]) % 2:
        found.append((nots[0][-1] if nots[0] else None, nots[1][-1] if nots[1] else None))
    return found


def _told(words: Sequence[str]) -> str:
    return ", ".join(f"“{word}”" for word in words[:4]) + (" …" if len(words) > 4 else "")


# ---------------------------------------------------------------------------------------------------------- two memories


class Said:
    """What a memory says, made ready to be compared with many others: its summary, and its text where that says more."""

    def __init__(self, summary: str, text: str = ""):
        self.summary, self.text = summary, "" if text.strip() == summary.strip() else text.strip()
        self.near = Text(summary)
        self.said = _Sentence(summary)

    @cached_property
    def words_of_text(self) -> frozenset[str]:
        return Text(self.text).words

    @cached_property
    def sentences(self) -> list[_Sentence]:
        return [_Sentence(each) for each in _SENTENCE.split(self.text)[:SENTENCES] if each.strip()]

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
        verdict = _compare(self.said, other.said)
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
                    verdict = _compare(one, two)
                    if verdict.relation == Relation.CONTRADICTION:
                        return verdict
        if _share(self.words_of_text, other.words_of_text) >= SHARED_WORDS:
            return None
        return Verdict(Relation.SIMILAR, "The summaries say the same, the texts do not")


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether the runs of three letters of two texts are nearly the same ones, as in `coaching.alike`."""
    either = len(one) + len(other)
    return bool(either) and 2 * len(one & other) / either >= SHARED_LETTERS


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    either = len(one | other)
    return len(one & other) / either if either else 0.0


# ------------------------------------------------------------------------------------------------------- among very many


def near_pairs(entries: Sequence[Said], most: int = MOST) -> list[tuple[int, int]]:
    """The pairs (i, j), i < j, of entries that are near, ordered by j: those of the first entries first, `most` at most.

    The same pairs as comparing all with all, without doing so: who shares as many words as is asked for shares one of the
    rarest of them.
    """
    found: set[tuple[int, int]] = set()
    letters = SHARED_LETTERS / (2 - SHARED_LETTERS)  # the same bound, as a share of all letters of both
    for sets, share in (
        ([entry.said.shape for entry in entries], SHARED_WORDS),
        ([entry.near.letters for entry in entries], letters),
        ([entry.words_of_text if len(entry.words_of_text) >= LONG else frozenset() for entry in entries], SAME_TEXT),
    ):
        found.update(islice(_joined(sets, share), most))
    near = (
        pair
        for pair in sorted(found, key=lambda pair: (pair[1], pair[0]))
        if entries[pair[0]].is_near(entries[pair[1]])
    )
    return list(islice(near, most))


def _joined(sets: Sequence[frozenset[str]], share: float) -> Iterator[tuple[int, int]]:
    """The pairs (i, j), i < j, of sets that share at least about `share` of all their members, ordered by j."""
    counts = Counter(chain.from_iterable(sets))
    order = {member: n for n, (member, _) in enumerate(sorted(counts.items(), key=itemgetter(1, 0)))}
    ranked = [np.array(sorted(map(order.__getitem__, each)), dtype=np.int64) for each in sets]
    sizes = np.array([len(each) for each in sets])
    least = np.maximum(np.ceil(share * sizes - SLACK), 1).astype(int)  # members that a set shares with any that is near
    # Of sets that share so many, the rarest members up to there and DEEP - 1 more have at least DEEP in common.
    heads = [ranks[: size - n + DEEP] for ranks, size, n in zip(ranked, sizes, least, strict=True)]
    of = np.repeat(np.arange(len(heads)), [len(head) for head in heads])
    members = np.concatenate([*heads, np.zeros(0, dtype=np.int64)])
    posted = np.argsort(members, kind="stable")
    sorted_members, who = members[posted], of[posted]
    place = np.empty_like(posted)
    place[posted] = np.arange(len(posted))
    begin = np.searchsorted(sorted_members, members)
    bits = _bits(ranked, len(order))
    at = 0
    for j, head in enumerate(heads):
        met = [who[begin[n] : place[n]] for n in range(at, at + len(head)) if begin[n] < place[n]]
        at += len(head)
        if not met:
            continue
        votes = np.bincount(np.concatenate(met), minlength=j)
        near = np.flatnonzero(votes >= min(DEEP, least[j]))
        near = near[(votes[near] >= np.minimum(DEEP, least[near])) & (sizes[near] >= share * sizes[j] - SLACK)]
        near = near[share * sizes[near] <= sizes[j] + SLACK]
        if len(near):
            both = np.bitwise_count(bits[near] & bits[j]).sum(axis=1)
            for i in near[both >= share * (sizes[near] + sizes[j] - both) - SLACK].tolist():
                yield i, j


def _bits(ranked: Sequence[np.ndarray], n: int) -> np.ndarray:
    """One row of bits a set."""
    rows = np.zeros((len(ranked), n // 64 + 1), dtype=np.uint64)
    for row, ranks in zip(rows, ranked, strict=True):
        np.bitwise_or.at(row, ranks >> 6, np.uint64(1) << (ranks & 63).astype(np.uint64))
    return rows
