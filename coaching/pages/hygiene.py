"""What the "Check memories" page shows: near pairs, and the entries that somebody should look at again."""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, F, Max, Q
from django.db.models.functions import Left
from django.utils import timezone

from agents.paging import Paged, n_pages_of, page_asked
from coaching.actions import hygiene
from coaching.hygiene import MOST, Relation, Said, Verdict, near_pairs
from coaching.models import Proposal
from memories.models import KeptPair, Memory

PAIRS = 20  # on a page
ENTRIES = 50
READ = 4_000  # characters of a text that are compared
SHOWN = 800  # characters of a text beside another one
UNSERVED_FOR = timedelta(days=30)
MONTHS = {3: timedelta(days=91), 6: timedelta(days=182), 12: timedelta(days=365)}


@dataclass(frozen=True)
class Question:
    """What the address asks for: one of the lists, and after how many months an entry is due for a look."""

    shown: str = "pairs"
    months: int = 6
    page: int = 1

    LISTS = (
        ("pairs", "Near pairs"),
        ("expired", "Expired"),
        ("unserved", "Never served for 30 days"),
        ("unchecked", "Not confirmed"),
        ("kept", "Kept pairs"),
    )

    @classmethod
    def parse(cls, query):
        """From a QueryDict; what means nothing is taken as not given."""
        shown, months = query.get("show", ""), query.get("months", "")
        return cls(
            shown=shown if shown in dict(cls.LISTS) else "pairs",
            months=int(months) if months in {str(number) for number in MONTHS} else 6,
            page=page_asked(query),
        )

    def query(self, **changes):
        """The query string, with its question mark, of this question after `changes`."""
        q = replace(self, **changes)
        given = {
            "show": "" if q.shown == "pairs" else q.shown,
            "months": "" if q.months == 6 else q.months,
            "page": q.page if q.page > 1 else "",
        }
        return "?" + urlencode({key: value for key, value in given.items() if value})


@dataclass(frozen=True)
class Side:
    """One memory of a pair; the words of it that made the pair one are marked."""

    memory: Memory
    words: tuple[str, ...]

    @property
    def summary(self):
        return pieces(self.memory.summary, self.words)

    @property
    def text(self):
        """Its text where that says more than the summary; of a long one what stands around the first marked words."""
        if not self.memory.text or self.memory.text == self.memory.summary:
            return []
        cut = pieces(self.memory.text, self.words)
        if len(self.memory.text) <= SHOWN:
            return cut
        first = next((n for n, (_, is_marked) in enumerate(cut) if is_marked), None)
        if first is None:
            return [(f"{self.memory.text[:SHOWN]}…", False)]
        lead, tail = "".join(piece for piece, _ in cut[:first]), "".join(piece for piece, _ in cut[first + 1 :])
        before = lead if len(lead) <= SHOWN // 2 else f"…{lead[-SHOWN // 2 :]}"
        after = tail if len(tail) <= SHOWN // 2 else f"{tail[: SHOWN // 2]}…"
        return [(before, False), cut[first], *pieces(after, self.words)]

    @property
    def as_read(self):
        return f"{self.memory.pk}:{self.memory.version}"


@dataclass(frozen=True)
class Pair:
    """Two near memories, the one that changed last first. `waits` is a proposal about one of them that waits."""

    first: Side
    second: Side
    verdict: Verdict
    waits: Proposal | None

    LABELS = {
        Relation.CONTRADICTION: "Contradict each other",
        Relation.DUPLICATE: "Say the same",
        Relation.SIMILAR: "Near in words",
    }

    @property
    def label(self):
        return self.LABELS[self.verdict.relation]

    @property
    def sides(self):
        return (self.first, self.second)


@dataclass(frozen=True)
class Check(Paged):
    """The page. Of `pairs`, `entries` and `kept` only those of the list that is asked for are filled."""

    question: Question
    lists: list[tuple[str, str, int, str]]
    pairs: list[Pair]
    entries: list[Memory]
    kept: list[KeptPair]
    waiting: dict[UUID, Proposal]
    relations: dict[Relation, int]
    n_memories: int
    n_served: int
    n_found: int
    n_pages: int
    is_cut: bool
    now: datetime

    @property
    def months(self):
        """The (number, address) of each span after which entries are due for a look."""
        return [(number, self.question.query(months=number, page=1)) for number in MONTHS]

    @property
    def told(self):
        """How many pairs are what, in words: "2 are in contradiction, 1 says the same"."""
        words = {
            Relation.CONTRADICTION: ("is in contradiction", "are in contradiction"),
            Relation.DUPLICATE: ("says the same", "say the same"),
            Relation.SIMILAR: ("is near in words", "are near in words"),
        }
        return ", ".join(f"{n:,} {words[relation][n != 1]}" for relation, n in self.relations.items() if n)


@dataclass(frozen=True)
class _Found:
    """A near pair as it was found: both versions, when the pair is over, what the two are to each other."""

    first: hygiene.Read
    second: hygiene.Read
    served_until: datetime | None
    verdict: Verdict

    @property
    def as_kept(self):
        one, other = sorted((self.first, self.second), key=lambda read: read.id)
        return one.id, one.version, other.id, other.version


def load(agent, question):
    """The page for a leader: eight queries at most, and one more where the memory base has changed since the last look."""
    now = timezone.now()
    rows = Memory.objects.filter(agent=agent)
    unserved, unchecked = _unserved(now), _unchecked(now, question.months)
    state = rows.aggregate(
        n=Count("pk"),
        newest=Max("updated_at"),
        served=Count("last_served_at"),
        expired=Count("pk", filter=Q(expires_at__lte=now)),
        unserved=Count("pk", filter=unserved),
        unchecked=Count("pk", filter=unchecked),
    )
    kept = _kept(agent)
    hidden = {(one.first_id, one.first_version, one.second_id, one.second_version) for one in kept}
    looked = _look(agent.pk, agent.memory_base_version, state["n"], state["newest"])
    found = [
        one for one in looked if one.as_kept not in hidden and (one.served_until is None or one.served_until > now)
    ]
    counts = {"pairs": len(found), "kept": len(kept)} | {
        name: state[name] for name in ("expired", "unserved", "unchecked")
    }
    n_found = counts[question.shown]
    size = PAIRS if question.shown in ("pairs", "kept") else ENTRIES
    n_pages = n_pages_of(n_found, size)
    question = replace(question, page=min(question.page, n_pages))
    here = slice((question.page - 1) * size, question.page * size)
    entries = {
        "expired": rows.expired(now).order_by("-expires_at", "pk"),
        "unserved": rows.filter(unserved).order_by("created_at", "pk"),
        "unchecked": rows.filter(unchecked).order_by("updated_at", "pk"),
    }.get(question.shown)
    shown = list(entries.select_related("checked_by__user")[here]) if entries is not None else []
    pairs = found[here] if question.shown == "pairs" else []
    ids = {read.id for one in pairs for read in (one.first, one.second)} | {row.pk for row in shown}
    waiting = hygiene.waiting(agent, ids) if ids else {}
    return Check(
        question=question,
        lists=[(name, label, counts[name], question.query(shown=name, page=1)) for name, label in Question.LISTS],
        pairs=_pairs(rows, pairs, waiting),
        entries=shown,
        kept=kept[here] if question.shown == "kept" else [],
        waiting=waiting,
        relations={kind: sum(one.verdict.relation == kind for one in found) for kind in Relation},
        n_memories=state["n"],
        n_served=state["served"],
        n_found=n_found,
        n_pages=n_pages,
        is_cut=len(looked) >= MOST,
        now=now,
    )


def load_pair(agent, one, other):
    """Two memories as a pair, in the given order, whether or not they are near; None where one is gone."""
    rows = Memory.objects.filter(agent=agent).in_bulk([one, other])
    if len(rows) < 2:
        return None
    first, second = rows[one], rows[other]
    verdict = Said(first.summary, first.text).compare(Said(second.summary, second.text))
    verdict = verdict or Verdict(Relation.SIMILAR, "")
    waiting = hygiene.waiting(agent, [one, other])
    return Pair(Side(first, verdict.first), Side(second, verdict.second), verdict, next(iter(waiting.values()), None))


def union(pair):
    """The fields that say what both of a pair say, to begin an edit with: the first one's summary, and both texts."""
    first, second = pair.first.memory, pair.second.memory
    parts = [first.text]
    if pair.verdict.relation != Relation.DUPLICATE:
        parts.append(second.summary)
    parts.append(second.text)
    text = ""
    for part in parts:
        if part and part not in text and part != first.summary:
            text = f"{text}\n\n{part}" if text else part
    return {"summary": first.summary, "text": text, "expires_at": first.expires_at}


def pieces(text, words):
    """`text` cut into (piece, whether it is one of `words`)."""
    if not words:
        return [(text, False)]
    any_of = "|".join(r"\s*".join(map(re.escape, word.split())) for word in sorted(words, key=len, reverse=True))
    cut = re.split(rf"(?<!\w)({any_of})(?!\w)", text, flags=re.IGNORECASE)
    return [(piece, n % 2 == 1) for n, piece in enumerate(cut) if piece]


def _unserved(now):
    """Who was confirmed is off the list for as long as who was just written."""
    due = now - UNSERVED_FOR
    return (
        Q(last_served_at=None, created_at__lte=due)
        & (Q(checked_at=None) | Q(checked_at__lte=due))
        & (Q(expires_at=None) | Q(expires_at__gt=now))
    )


def _unchecked(now, months):
    due = now - MONTHS[months]
    return (
        Q(updated_at__lte=due)
        & (Q(checked_at=None) | Q(checked_at__lte=due))
        & (Q(expires_at=None) | Q(expires_at__gt=now))
    )


def _kept(agent):
    """The kept pairs that still hold: neither of the two has changed since. Newest first."""
    rows = KeptPair.objects.filter(
        first__agent=agent, first_version=F("first__version"), second_version=F("second__version")
    )
    return list(rows.select_related("first", "second", "kept_by__user").order_by("-kept_at", "pk"))


def _pairs(rows, found, waiting):
    memories = rows.in_bulk({read.id for one in found for read in (one.first, one.second)}) if found else {}
    return [
        Pair(
            Side(memories[one.first.id], one.verdict.first),
            Side(memories[one.second.id], one.verdict.second),
            one.verdict,
            waiting.get(one.first.id) or waiting.get(one.second.id),
        )
        for one in found
        if one.first.id in memories and one.second.id in memories
    ]


@lru_cache(maxsize=16)
def _look(agent_id, memory_base_version, n, newest):
    """The near pairs of a memory base, the most serious first and of these the newest. It is looked through once after each
    change: the arguments behind the first say which state it is in."""
    rows = Memory.objects.filter(agent_id=agent_id).order_by("-updated_at", "pk").annotate(start=Left("text", READ))
    read = list(rows.values_list("pk", "version", "expires_at", "summary", "start"))
    said = [Said(summary, text) for _, _, _, summary, text in read]
    found = []
    for i, j in near_pairs(said):
        verdict = said[i].compare(said[j])
        if verdict is None:
            continue
        until = min((at for at in (read[i][2], read[j][2]) if at is not None), default=None)
        found.append((i, _Found(hygiene.Read(*read[i][:2]), hygiene.Read(*read[j][:2]), until, verdict)))
    severity = list(Relation)
    return tuple(one for _, one in sorted(found, key=lambda pair: (severity.index(pair[1].verdict.relation), pair[0])))
