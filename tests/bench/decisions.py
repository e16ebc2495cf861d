"""Decisions per second with 20 deciding at once beside one alone; diff and three-way merge of prompts of 50 KB.

    python -m tests.bench decisions

Twenty processes with a connection of their own approve the same proposals in the same order, so that each is wanted by all of
them at the same moment; the floor is one process that approves as many proposals alone, in the same database and run. Each
proposal must be won exactly once and logged exactly once, and who is too late must be told so: nineteen of twenty answers say
that. So beside the decisions the answers are counted, won or late. Diff and merge are of texts of 50,000 characters in the
shapes that hurt; what is told is the median of ROUNDS in milliseconds of the processor, so that a busy machine tells the same.
Exits with 1 where a proposal was won twice or never, where the twenty are answered less than LEAST times as fast as one alone,
or where a diff or a merge takes more than MOST_MS.
"""

import random
import time
from collections import Counter

from agents import decisions
from coaching.models import Proposal
from coaching.texts import diffs
from coaching.texts.merging import Touch, merge_text
from tests import factories, processes
from tests.bench.measuring import own_database

PROCESSES, PROPOSALS = 20, 30
LEAST = 0.2  # of the answers of one alone; on two cores the twenty wait for each other
MOST_MS = 100
LENGTH, ROUNDS = 50_000, 5


def main() -> bool:
    """Measure in a database of its own, made and dropped again. True where a limit was missed."""
    with own_database():
        missed = decide()
    return compare() or missed


def decide() -> bool:
    """One alone, then twenty at once. True where a proposal was not won exactly once, or the twenty are too slow."""
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    agent = factories.ai_agent(workspace)
    rates, wrong = {}, False
    for n in (1, PROCESSES):
        ids = [str(factories.proposal(agent).pk) for _ in range(PROPOSALS)]
        children = [processes.start("-m", "tests.flows.decide", str(owner.pk), *ids) for _ in range(n)]
        ready = [child.stdout.readline() for child in children]
        assert ready == ["ready\n"] * n, ready
        started = time.perf_counter()
        for child in children:
            child.stdin.write("\n")
            child.stdin.flush()
        told = "".join(child.communicate(timeout=processes.PATIENCE)[0] for child in children).splitlines()
        said = Counter(line.split()[0] if line.startswith(("won", "late")) else "fault" for line in told)
        rates[n] = PROPOSALS / (time.perf_counter() - started)
        won = Proposal.objects.filter(pk__in=ids, status=Proposal.Status.APPROVED).count()
        logged = workspace.decisions.filter(proposal_id__in=ids, action="approved").count()
        wrong |= said != Counter(won=PROPOSALS, late=PROPOSALS * (n - 1)) or not won == logged == PROPOSALS
        print(
            f"{n:>2} at once: {rates[n]:.1f} decisions/s, {n * rates[n]:.0f} answers/s, {dict(said)}, {logged} logged"
        )
    wrong |= bool(list(decisions.verify(workspace)))
    share = PROCESSES * rates[PROCESSES] / rates[1]
    print(f"answers {share:.2f} times those of one alone; each proposal won once: {'no' if wrong else 'yes'}")
    return wrong or share < LEAST


def texts() -> dict[str, tuple[str, str, str]]:
    """{shape: (base, one side's text, the other side's)} of 50,000 characters."""
    rng = random.Random(7)
    words = [f"word{n}" for n in range(2_000)]
    rows = [" ".join(rng.choices(words, k=9)) for _ in range(LENGTH // 65)]
    base, shuffled = "\n".join(rows), list(rows)
    rng.shuffle(shuffled)
    giant = " ".join(rng.choices(words, k=LENGTH // 8))
    few = " ".join(rng.choices(["yes", "no", "maybe"], k=LENGTH // 4))
    edited = [f"{row} more" for row in rows]
    return {
        "one line changed": (base, base.replace(rows[300], "Another line."), base.replace(rows[500], "One more.")),
        "every line changed": (base, "\n".join(edited), "\n".join(f"So {row}" for row in rows)),
        "lines shuffled": (base, "\n".join(shuffled), base.replace(rows[300], "Another line.")),
        "one giant line": (giant, giant.replace(" word7 ", " seven "), giant.replace(" word9 ", " nine ")),
        "three words over and over": (few, few.replace("maybe no", "maybe"), few[: LENGTH // 2] + few[LENGTH // 3 :]),
        "nothing in common": (base, giant, "\n".join(reversed(edited))),
    }


def compare() -> bool:
    """Diff and merge each shape. True where one is too slow."""
    missed = False
    for shape, (base, ours, theirs) in texts().items():
        told = {
            "diff by lines": median(lambda base=base, ours=ours: diffs.lines(base, ours)),
            "by words": median(lambda base=base, ours=ours: diffs.words(base, ours)),
            "merge": median(lambda base=base, ours=ours, theirs=theirs: merged(base, ours, theirs)),
        }
        missed |= max(told.values()) > MOST_MS
        print(f"{shape}: " + ", ".join(f"{what} {ms:.0f} ms" for what, ms in told.items()))
    return missed


def merged(base, ours, theirs):
    try:
        return merge_text(base, ours, theirs)
    except Touch:
        return None


def median(measure) -> float:
    """Milliseconds of the processor, the median of ROUNDS."""
    took = []
    for _ in range(ROUNDS):
        started = time.process_time()
        measure()
        took.append(1_000 * (time.process_time() - started))
    return sorted(took)[ROUNDS // 2]
