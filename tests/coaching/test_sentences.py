"""What a flag says, word for word."""

from datetime import date

import pytest

from coaching.csat import sentences

EVIDENCE = {
    "day": "2026-05-20",
    "since": "2026-04-16",
    "weeks": 5,
    "ratings": 38,
    "observed": 77.5,
    "expected": 90.0,
    "past_weeks": 21,
    "weeks_rated": 5,
    "weeks_below": 4,
    "holds_without_worst": True,
    "peers": "team",
    "scale": "stars5",
    "rarity": 200,
}


def test_sentence_in_stars():
    assert sentences.sentence("Noor", EVIDENCE) == (
        "In the last 5 weeks Noor’s 38 ratings average 4.1; their own previous 21 weeks and what their team got in these weeks "
        "point to 4.6. Below that in 4 of the 5 weeks, and it holds without the worst 7 days. "
        "A steady agent shows this in fewer than 1 in 200 quarters."
    )


def test_what_is_told_in_stars_is_told_as_the_picture_draws_it():
    assert sentences.in_per_cent(EVIDENCE) == "of 5 stars, 4.1 is 78 % and 4.6 is 90 %"
    assert sentences.in_per_cent(EVIDENCE | {"scale": ""}) == ""
    assert sentences.in_per_cent({}) == ""


def test_sentence_of_several_scales_speaks_in_points_of_a_hundred():
    assert sentences.sentence("Noor", EVIDENCE | {"scale": ""}).startswith(
        "In the last 5 weeks Noor’s 38 ratings average 78 %;"
    )


@pytest.mark.parametrize(
    ("changed", "said", "unsaid"),
    [
        ({"peers": "workspace"}, "what everybody else got in these weeks", "team"),
        ({"weeks_rated": 4, "weeks_below": 3}, "Below that in 3 of the 4 weeks with ratings", "5 weeks,"),
        ({"peers_ratings": 0}, "their own previous 21 weeks point to 4.6.", "team"),
        ({"peers": "workspace", "peers_ratings": 0, "past_weeks": 1}, "previous week points to 4.6.", "everybody"),
        ({"holds_without_worst": False}, "in 4 of the 5 weeks. A steady", "worst"),
        ({"past_weeks": 1}, "their own previous week and", "previous 1"),
        ({"rarity": None}, "worst 7 days.", "steady agent"),
        (
            {"new_scale": True},
            "7 days. Most of these ratings are on a scale that is new here, which alone",
            "steady agent",
        ),
        ({"ratings": 1234}, "Noor’s 1,234 ratings", "1234"),
    ],
)
def test_sentence_never_claims_more_than_is_stored(changed, said, unsaid):
    sentence = sentences.sentence("Noor", EVIDENCE | changed)

    assert said in sentence
    assert unsaid not in sentence


@pytest.mark.parametrize(
    ("today", "window"),
    [
        (date(2026, 5, 20), "In the last 5 weeks Noor"),
        (date(2026, 5, 27), "In the last 5 weeks Noor"),
        (date(2026, 5, 28), "In the 5 weeks up to 20 May 2026 Noor"),
    ],
)
def test_sentence_of_a_flag_that_stands_for_a_while_names_its_weeks(today, window):
    assert sentences.sentence("Noor", EVIDENCE, today=today).startswith(window)


def test_brief():
    assert sentences.brief(EVIDENCE | {"expected": 83.5}) == (
        "Down 6 points in 5 weeks against what was expected; holds without the worst week"
    )
    assert (
        sentences.brief(EVIDENCE | {"holds_without_worst": False})
        == "Down 12 points in 5 weeks against what was expected"
    )


def test_brief_of_ratings_on_a_new_scale_says_so_instead_of_how_sure_it_is():
    assert sentences.brief(EVIDENCE | {"new_scale": True}) == (
        "Down 12 points in 5 weeks against what was expected; but the scale of the ratings is new"
    )


def test_cleared_and_expired():
    end = {
        "day": "2026-08-12",
        "open_days": 84,
        "n28": 21,
        "enough": True,
        "rate28": 87.5,
        "needed": 85,
        "expected": 90,
    }

    assert sentences.cleared(end | {"scale": "stars5"}) == (
        "Cleared on 12 August 2026: the 21 ratings of the last 4 weeks average 4.5, and 4.4 was needed."
    )
    assert sentences.expired(end | {"rate28": 70, "scale": ""}) == (
        "Open for 12 weeks: the 21 ratings of the last 4 weeks average 70 % where 90 % was expected. "
        "This is the new level: talk about it."
    )
    assert sentences.expired(end | {"n28": 1, "enough": False, "rate28": 0, "scale": ""}) == (
        "Open for 12 weeks, with 1 rating in the last 4 weeks: too few to say whether it is over. Talk about it."
    )
