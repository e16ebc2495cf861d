"""Tokens a session with the coach sends, reads from the service's cache and writes to it, beside the same without marks.

    python -m tests.bench tokens

Three sessions run through the product: questions, rounds and tools are scripted by a model server, everything it is sent
is what the product sends. The server counts as a service with a prompt cache does: the blocks of a request in the order
tools, system, messages; what stands before a mark is kept under the hash of its words; a request reads the longest kept
prefix that ends at one of its marks, or up to twenty blocks before it, and writes what it marks beyond that, if the prefix has
a thousand tokens. Four characters count as one token. The floor are the same requests without their marks: all of it is
sent anew in every round. The price weighs what was read at a tenth and what was written at five quarters, as
services with such a cache do. Exits with 1 where a session costs more than its share of the floor.
"""

import hashlib
import json
from dataclasses import dataclass, field

from django.conf import settings

from agents import actions as agents
from agents.models import Door
from coaching.actions import sessions
from coaching.practice.wire import Call, Reply
from tests import factories
from tests import model_server as server
from tests.bench.measuring import own_database
from tests.coaching import talks

READ, WRITTEN = 0.1, 1.25  # the price of a cached token, in sent ones
LOOK_BACK = 20  # blocks
LEAST = 1_024  # tokens of a prefix that is kept
PROMPT = "You are the refunds assistant of a shop that sells lamps. Be kind, be exact, and never promise a date. " * 30


@dataclass
class Counted:
    """Tokens of requests by what became of them; they add up to what the same requests are without marks."""

    sent: int = 0
    read: int = 0
    written: int = 0

    @property
    def whole(self) -> int:
        return self.sent + self.read + self.written

    @property
    def price(self) -> float:
        return self.sent + READ * self.read + WRITTEN * self.written

    def add(self, other: "Counted") -> None:
        self.sent, self.read, self.written = (
            self.sent + other.sent,
            self.read + other.read,
            self.written + other.written,
        )


@dataclass
class Cache:
    """What a service has kept, by the hash of the words before a mark."""

    kept: set[bytes] = field(default_factory=set)

    def count(self, request: dict) -> Counted:
        hashed, tokens, marks, ends = hashlib.sha256(), 0, [], []
        for place, (block, marked) in enumerate(blocks_of(request)):
            hashed.update(block)
            tokens += len(block.decode()) // 4
            ends.append((tokens, hashed.digest()))
            if marked:
                marks.append(place)
        read = max(
            (
                ends[place][0]
                for mark in marks
                for place in range(max(0, mark - LOOK_BACK), mark + 1)
                if ends[place][1] in self.kept
            ),
            default=0,
        )
        kept = max((ends[mark][0] for mark in marks if ends[mark][0] >= LEAST), default=0)
        self.kept.update(ends[mark][1] for mark in marks if ends[mark][0] >= LEAST)
        written = max(kept - read, 0)
        return Counted(sent=tokens - read - written, read=read, written=written)


def blocks_of(request: dict):
    """(words, whether a mark closes it) of each block, in the order in which a service reads them."""
    parts = [*request["tools"], *request["system"]]
    for message in request["messages"]:
        parts += [{"role": message["role"], **block} for block in message["content"]]
    for part in parts:
        bare = {name: value for name, value in part.items() if name != "cache_control"}
        yield json.dumps(bare, sort_keys=True, ensure_ascii=False).encode(), "cache_control" in part


@dataclass(frozen=True)
class Script:
    """A session: how many questions, what is read in each round of one, the turns of each conversation, and the most it may
    cost as a share of its floor. What is read once is written once; only what is sent again can be read."""

    name: str
    questions: int
    rounds: list[list[str]]
    turns: int
    most: float


SCRIPTS = (
    Script("one question, three rounds", 1, [["own"], ["memories"]], 40, 0.6),
    Script("six questions, three rounds each", 6, [["own"], ["memories"]], 40, 0.3),
    Script(
        "a pattern over 50 conversations of 200 turns, 10 a round",
        1,
        [["list"], *[["other"] * 10] * 5, ["memories"]],
        200,
        0.8,
    ),
)


def answering(script: Script, others: list[str]):
    """A model that follows the script: a round of calls after the other, then words."""
    unread = iter(others * script.questions)

    def call(what: str) -> Call:
        if what == "own":
            return Call("read_conversation", {})
        if what == "other":
            return Call("read_conversation", {"conversation": next(unread)})
        if what == "list":
            return Call("find_conversations", {"limit": 50})
        return Call("search_memories", {"query": "parcels"})

    def answer(request: dict) -> Reply:
        asked = max(
            index
            for index, each in enumerate(request["messages"])
            if each["role"] == "user" and each["content"][-1]["type"] == "text"
        )
        done = sum(each["role"] == "assistant" for each in request["messages"][asked:])
        if done < len(script.rounds):
            return Reply(calls=[call(what) for what in script.rounds[done]])
        return Reply("Turn 4 shows that the customer had to ask twice, and that nobody looked the number up. " * 8)

    return answer


def session_of(script: Script) -> list[list[dict]]:
    """Run the session through the product; the requests of each question."""
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    agent = factories.ai_agent(workspace)
    agents.change_prompt(agent.prompt, system_prompt=PROMPT, base_version=1, by=owner, door=Door.PAGE)
    said = [talks.PARCEL[n % 7] for n in range(script.turns)]
    reads_others = any("other" in each for each in script.rounds)
    others = [str(talks.conversation(agent, said).pk) for _ in range(50 if reads_others else 0)]
    session = sessions.start(agent, by=owner, conversation=talks.conversation(agent, said))
    asked = []
    with server.serving([server.reply(answering(script, others))]) as model:
        settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = "key", model.url
        for number in range(script.questions):
            before = len(model.requests)
            answered = talks.ask(session, f"What went wrong in part {number + 1}?")
            assert answered.turn.state == "done", answered.turn.error
            asked.append(model.requests[before:])
    return asked


def measured(script: Script) -> bool:
    """Count one session and print it. True where it costs too much."""
    cache, all_of_it = Cache(), Counted()
    print(script.name)
    for number, requests in enumerate(session_of(script), start=1):
        of_question = Counted()
        for each in requests:
            of_question.add(cache.count(each))
        all_of_it.add(of_question)
        print(f"  question {number}, {len(requests)} rounds   {told(of_question)}")
    print(f"  all of it              {told(all_of_it)}")
    return all_of_it.price > script.most * all_of_it.whole


def told(counted: Counted) -> str:
    return (
        f"{counted.whole:8,} without marks = {counted.sent:7,} sent + {counted.read:8,} read + {counted.written:7,} written"
        f"   price {counted.price / counted.whole:4.2f} x"
    )


def main() -> bool:
    """Measure in a database of its own, made and dropped again. True where a limit was missed."""
    with own_database():
        missed = [script.name for script in SCRIPTS if measured(script)]
        return bool(missed)
