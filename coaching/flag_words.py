"""What a flag says: one sentence that can be checked, and a short form for a row of the table. Pure; scores are 0..100.

Both read the evidence that was stored when the flag was raised: `weeks` (length of the review window), `ratings` in it,
`observed` and `expected` means, `past_weeks` the expectation rests on, `weeks_rated` and `weeks_below`, `holds_without_worst`.
"""


def sentence(name, evidence):
    """The claim in full, as drawer, Slack and the to-do list show it."""
    e = evidence
    holds = ", and it holds without the worst 7 days" if e["holds_without_worst"] else ""
    return (
        f"In the last {e['weeks']} weeks {name}’s {e['ratings']:,.0f} ratings average {e['observed']:.1f}; their own previous "
        f"{e['past_weeks']} weeks and what their team got in these weeks point to {e['expected']:.1f}. Below that in "
        f"{e['weeks_below']} of the {e['weeks_rated']} weeks{holds}. A steady agent shows this in fewer than 1 in 200 quarters."
    )


def brief(evidence):
    """The claim in a row's length: "Down 6 points in 5 weeks against what was expected; holds without the worst week"."""
    e = evidence
    holds = "; holds without the worst week" if e["holds_without_worst"] else ""
    return f"Down {e['expected'] - e['observed']:.0f} points in {e['weeks']} weeks against what was expected{holds}"
