"""What of a query is searched for. A query is data: no quote, operator or symbol in it means anything."""

import re

MOST_WORDS = 64  # of a query; what a customer says beyond that repeats itself
LONGEST_WORD = 64  # characters
WORD = re.compile(r"[^\W_]+")
COMMON = frozenset(
    re.findall(
        WORD,
        """a about after again all also am an and any are as at be because been before being but by can cannot could did do
        does doing don down each few for from further had has have having he her here hers him his how i if in into is it its
        just ll me more most my no nor not now of off on once only or other our out over own please re s same she should so
        some such t than thank thanks that the their them then there these they this those through to too under until up us ve
        very was we were what when where which while who whom why will with would you your""",
    )
)


def words_of(query: str) -> list[str]:
    """The distinct words to look for, in lower case, at most 64; common ones only where there are no others."""
    found = list(dict.fromkeys(word[:LONGEST_WORD] for word in WORD.findall(query.lower())))
    telling = [word for word in found if word not in COMMON]
    return (telling or found)[:MOST_WORDS]
