"""What two memories are to each other: the same, in contradiction, or near in words and both right.

Pure. A contradiction is only claimed where everything else in the two sentences is the same subject: one amount that differs
("5 days", "3 days"), a "not" on one side, one word against its opposite. Words that differ on both sides ("shoes", "books")
name two subjects, and then nothing is contradicted: whoever looks at a list of false alarms stops looking.

The words it knows are English. In other languages it finds what says the same and amounts that differ, by their numbers and
the usual units; a negation there makes a pair "similar".
"""

from coaching.hygiene.claims import Relation, Verdict
from coaching.hygiene.pairs import MOST, near_pairs
from coaching.hygiene.said import Said

__all__ = ["MOST", "Relation", "Said", "Verdict", "near_pairs"]
