"""The words that say how a sentence is put, turn it round or measure: tables, and what a word is compared by."""

import re
from functools import lru_cache


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


SHORT = {"can't": "can not", "cannot": "can not", "won't": "will not", "shan't": "shall not"}
NUMBERS = {
    name: float(value)
    for value, name in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
         "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"]
    )
} | {"thirty": 30.0, "forty": 40.0, "fifty": 50.0, "sixty": 60.0, "ninety": 90.0, "hundred": 100.0}  # fmt: skip
# unit → (what it measures, how many of the smallest of that)
UNITS = {
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
MONEY = {"euros", "dollars", "pounds", "cents"}
SIGNS = {"$", "€", "£"}
SCRIPT_UNITS = ("日", "時間", "分", "週間", "か月", "ヶ月", "年", "円", "天", "小时", "元", "일", "시간", "원")

# Words that say how a sentence is put, not what it says.
WEAK = _set(
    "a an the this that these those of to in on at by for from as be am is are was were been being it its they them their "
    "our we us you your he she his her i my and or so then there here will would shall do does did done has have had having "
    "can may could might should please now currently always all any every each also just simply normally usually generally "
    "typically about approximately around up per via into once take takes taking get gets give "
    "given make made apply applies yes"
)
PRICE_WORDS = _set("cost costs charge charged charges fee fees price priced amount amounts")  # beside an amount
_SAME = {
    "working": "business", "buy": "purchase", "bought": "purchase", "client": "customer", "shopper": "customer",
    "mandatory": "required", "compulsory": "required", "obligatory": "required", "need": "required", "must": "required",
    "require": "required", "permit": "allow", "permitted": "allow", "e-mail": "email", "mail": "email",
    "reimbursement": "refund", "cancellation": "cancel", "delivery": "deliver", "shipment": "ship", "shipping": "ship",
    "payment": "pay", "telephone": "phone", "replied": "reply", "sent": "send", "paid": "pay", "kept": "keep", "spent": "spend",
    "last": "take",
}  # fmt: skip
NOT = _set("not no never none nor neither nobody nothing")
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
TURNS = {
    **{word: (word, False) for word, _ in _OPPOSITES},
    **{opposite: (word, True) for word, opposite in _OPPOSITES},
    "within": ("before", False),
}
# Of states only: "Open the app" and "Close the app" are two steps, "The app is closed" is a claim.
STATES = {
    "open": ("open", False), "closed": ("open", True), "on": ("on", False), "off": ("on", True), "enabled": ("on", False),
    "disabled": ("on", True), "active": ("active", False), "inactive": ("active", True), "automatic": ("automatic", False),
    "manual": ("automatic", True), "public": ("public", False), "private": ("public", True),
}  # fmt: skip
BE = _set("is are be been was were stay stays remain remains must can may will should always not never")
SAYS_WHICH = frozenset({"before", "after", "within", "with", "without"})  # where they stand before the verb
CONDITION = _set("if when whenever while unless where who whose which what case")
FROM_TO = _set("from to into than over under onto")
# Before a number without a unit that measures something.
MEASURING = _set(
    "is are be was takes take within after before by than least most over under above below about every last lasts "
    "exactly maximum minimum of charge pay pays have has allow allows for = dauern dauert kostet kosten beträgt coûte"
)
NAMING = _set(
    "version error code step level tier plan section article chapter form model type room terminal gate line ipv http rule "
    "windows iphone android firefox thunderbird release phase part page zone class category number option"
)
_TERMS = _set("return window period trial warranty guarantee limit policy notice term deadline delay retention cap")
MONTHS = _set(
    "january february march april may june july august september october november december jan feb mar apr jun jul aug sep "
    "sept oct nov dec januar februar märz mai juni juli oktober dezember janvier février avril juin juillet août"
)
ENDS = _set("end ends ended start starts begin begins expire expires until deadline due launches latest")
ASKING = _set("how what why where who which whom whose can could do does did is are should when will may")
TEACHING = _set("how what why where")

TOKEN = re.compile(r"\d+(?:[.,:]\d+)*(?:[-–]\d+(?:[.,:]\d+)*)?|[$€£%,;:]|[^\W\d_]+(?:'[^\W\d_]+)?")
CLOCK = re.compile(r"\d{1,2}:\d\d")
THOUSANDS = re.compile(r"[.,](?=\d{3}(?:\D|$))")
YEAR = re.compile(r"(?:19|20)\d\d")
HYPHENED = re.compile(r"\b(non|e)-(?=\w{3})", re.IGNORECASE)
FROM_TO_NUMBER = re.compile(r"\b(?<!:)(\d+(?::\d\d)?) (?:to|bis|à|-|–) (\d+(?::\d\d)?)\b")
SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")


def stem(word: str) -> str:
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
def key_of(plain: str) -> str:
    """What a word is compared by."""
    return stem(_SAME.get(plain) or _SAME.get(stem(plain)) or plain)


WEAK_KEYS = frozenset(key_of(word) for word in WEAK)
TURN_KEYS = {key_of(word): turn for word, turn in TURNS.items()}
TERM_KEYS = frozenset(key_of(word) for word in _TERMS)
