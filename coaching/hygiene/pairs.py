"""The near pairs among very many memories, without comparing all with all."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from operator import itemgetter

import numpy as np

from coaching.hygiene.said import LONG, SAME_TEXT, Said
from coaching.texts.alike import SHARED_LETTERS, SHARED_WORDS

MOST = 5_000  # pairs that one look finds
DEEP = 6  # rare members in common before two sets are compared
SLACK = 1e-9  # of fractions


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
