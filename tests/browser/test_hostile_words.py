"""Hostile words in a real browser: nothing of them runs, nothing of them becomes an element."""

import pytest
from django.urls import reverse

from coaching.actions import flags, notes, samples
from tests import factories

PAYLOAD = "zq\"'><img src=x onerror='window.ran=1'><script>window.ran=1</script></textarea><zqx>{{ 7|add:7 }}\u202e👩‍🔧"


def named(agent, name):
    """The agent with a name that no door takes any more, as an older row may have it."""
    type(agent).objects.filter(pk=agent.pk).update(name=name)
    agent.refresh_from_db()
    return agent


@pytest.fixture
def hostile(workspace, owner):
    """A person whose every word is hostile, with a shared note and a sample, and the member who they are."""
    type(workspace).objects.update(name=PAYLOAD)
    agent = named(factories.human(workspace), PAYLOAD)
    sample = samples.pin(factories.conversation(agent, external_id=PAYLOAD), by=owner)
    type(sample).objects.filter(pk=sample.pk).update(summary=PAYLOAD, summary_state="captured")
    notes.write(agent, by=owner, body=PAYLOAD, sample=sample, shared_with_agent=True)
    named(factories.ai_agent(workspace, system_prompt=PAYLOAD), PAYLOAD)
    return factories.member(workspace, agent=agent, name=PAYLOAD)


def test_nothing_runs_and_nothing_breaks_out(sign_in, owner, hostile):
    leader, person = sign_in(owner), sign_in(hostile)
    names = (
        "team",
        "todo",
        "proposals",
        "settings-members",
        "settings-workspace",
        "settings-tokens",
        "settings-retention",
    )
    asked = [(leader, reverse(name)) for name in names]
    asked += [(leader, reverse("team-agent", args=[hostile.agent_id])), (leader, f"/team?agent={hostile.agent_id}")]
    asked += [(person, reverse("team")), (person, reverse("my-coaching"))]

    found = []
    for page, address in asked:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        broken = page.evaluate("[window.ran || 0, document.querySelectorAll('zqx, img[src=x]').length]")
        found.append((address, broken, "zq\"'><img" in page.content().replace("&lt;", "<").replace("&gt;", ">")))

    assert [(address, broken) for address, broken, _ in found if broken != [0, 0]] == []
    assert sum(shown for *_, shown in found) > 5


def test_name_that_turns_the_direction_of_reading_turns_only_itself(sign_in, owner, workspace):
    """In a heading the words after a name read on from left to right, whatever marks are in it."""
    flag = flags.raise_manual(named(factories.human(workspace), "Ana \u202etfel"), by=owner, reason="Talk.")
    page = sign_in(owner)
    page.goto(reverse("flag", args=[flag.pk]))

    first, last = page.evaluate(
        """() => {
            const rest = document.querySelector("h1").lastChild, range = document.createRange();
            return ["is", "flagged"].map((word) => {
                const at = rest.data.lastIndexOf(word);
                range.setStart(rest, at);
                range.setEnd(rest, at + word.length);
                return range.getBoundingClientRect().left;
            });
        }"""
    )
    links = page.evaluate(
        "[...document.querySelectorAll('a, b, strong')].map(one => getComputedStyle(one).unicodeBidi)"
    )

    assert first < last
    assert set(links) == {"isolate"}
