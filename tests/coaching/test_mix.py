"""What a fall is made of: ratings that became lower within channels, or another mix of channels. And how that is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coaching.csat import mix
from coaching.csat.figures import Csat


def good_and_bad(good, bad):
    """Ratings of 100 and of 0."""
    return Csat(good + bad, good * 10_000, good * 10_000**2)


def test_fall_within_one_channel_is_carried_by_it():
    found = mix.take_apart(
        {"chat": good_and_bad(17, 7), "email": good_and_bad(18, 2)},
        {"chat": good_and_bad(58, 5), "email": good_and_bad(45, 5)},
    )

    assert found.carrier.name == "chat"
    assert found.shifted is None
    assert mix.verdict(found) == "Chat: 24 ratings at 71 %, before 63 at 92 %; email shows no change."


def test_shift_and_within_are_those_worked_out_by_hand():
    """Chat stays at 60, email at 100; chat grows from a quarter to three quarters: all of the 20 points are the mix."""
    found = mix.take_apart(
        {"chat": good_and_bad(45, 30), "email": good_and_bad(25, 0)},
        {"chat": good_and_bad(15, 10), "email": good_and_bad(75, 0)},
    )

    assert (found.change, found.shift, found.within) == pytest.approx((-20, -20, 0))
    assert [(one.name, one.shift) for one in found.channels] == [
        ("chat", pytest.approx(-10)),
        ("email", pytest.approx(-10)),
    ]
    assert mix.verdict(found) == (
        "More ratings come by chat, where they are lower: 75 % of them now, 25 % before. "
        "Within the channels little has changed."
    )
    assert mix.parts(found) == (
        "All of the 20 points come from another mix of channels; within them next to nothing changed."
    )


def test_channel_that_dried_up_is_named_where_it_was_the_better_one():
    found = mix.take_apart(
        {"chat": good_and_bad(40, 40), "email": good_and_bad(50, 20), "phone": good_and_bad(10, 0)},
        {"chat": good_and_bad(40, 40), "email": good_and_bad(50, 20), "phone": good_and_bad(150, 0)},
    )

    assert found.shifted.name == "phone"
    assert mix.verdict(found).startswith(
        "Fewer ratings come by phone, where they are higher: 6 % of them now, 50 % before."
    )


def test_fall_everywhere_is_laid_on_no_channel():
    found = mix.take_apart(
        {"chat": good_and_bad(35, 15), "email": good_and_bad(35, 15)},
        {"chat": good_and_bad(90, 10), "email": good_and_bad(90, 10)},
    )

    assert mix.verdict(found) == "No single channel carries the fall: it is spread over them."
    assert mix.parts(found).startswith("All of the 20 points lie within the channels; their mix did")


def test_fall_that_chance_can_explain_is_laid_on_no_channel():
    found = mix.take_apart(
        {"chat": good_and_bad(7, 3), "email": good_and_bad(9, 1)},
        {"chat": good_and_bad(9, 1), "email": good_and_bad(9, 1)},
    )

    assert found.change < -mix.LEAST_FALL
    assert found.carrier is None


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        ({}, {"chat": good_and_bad(9, 9)}, "No rating of these weeks is kept"),
        ({"": good_and_bad(9, 9)}, {"": good_and_bad(90, 9)}, "No channel is known for these conversations."),
        ({"chat": good_and_bad(9, 9)}, {}, "No rating of the weeks before is kept"),
        (
            {"chat": good_and_bad(4, 4), "": good_and_bad(9, 9)},
            {"chat": good_and_bad(9, 9)},
            "For most of these conversations no channel is known",
        ),
        ({"chat": good_and_bad(9, 9)}, {"chat": good_and_bad(90, 9)}, "All of these ratings came by chat"),
        (
            {"chat": good_and_bad(4, 3), "email": good_and_bad(9, 9)},
            {"chat": good_and_bad(9, 9), "email": good_and_bad(9, 9)},
            "Too few ratings on each channel",
        ),
        (
            {"chat": good_and_bad(9, 9), "email": good_and_bad(9, 9)},
            {"chat": good_and_bad(9, 9), "email": good_and_bad(9, 9)},
            "Over these channels together there is no fall",
        ),
    ],
)
def test_what_cannot_be_told_is_said(now, before, said):
    found = mix.take_apart(now, before)

    assert mix.verdict(found).startswith(said)
    assert mix.parts(found) == ""
    assert (found.carrier, found.shifted) == (None, None)


def test_few_ratings_of_a_third_channel_do_not_hide_the_other_two():
    found = mix.take_apart(
        {"chat": good_and_bad(20, 20), "email": good_and_bad(36, 4), "phone": good_and_bad(1, 2)},
        {"chat": good_and_bad(90, 10), "email": good_and_bad(90, 10), "phone": good_and_bad(3, 0)},
    )

    assert [one.name for one in found.left_out] == ["phone"]
    assert found.carrier.name == "chat"
    assert mix.parts(found) == (
        "All of the 20 points lie within the channels; their mix did next to nothing; phone left out, with too few ratings."
    )


def test_fall_of_both_kinds_is_divided():
    """Half of the ratings move to the lower channel, and that one falls by 20 points."""
    found = mix.take_apart(
        {"chat": good_and_bad(60, 40), "email": good_and_bad(100, 0)},
        {"chat": good_and_bad(40, 10), "email": good_and_bad(150, 0)},
    )

    assert (found.shift, found.within) == pytest.approx((-7.5, -7.5))
    assert mix.parts(found) == (
        "Of 15 points, 7.5 come from lower ratings within the channels and 7.5 from another mix of channels."
    )


def test_part_that_goes_the_other_way_is_said_to_make_up():
    better_mix = mix.take_apart(
        {"chat": good_and_bad(10, 30), "email": good_and_bad(54, 6)},
        {"chat": good_and_bad(45, 15), "email": good_and_bad(38, 2)},
    )

    assert better_mix.shift > 0
    assert "another mix of channels made up for" in mix.parts(better_mix)


COUNTS = st.dictionaries(
    st.sampled_from(["", "chat", "email", "phone"]),
    st.builds(good_and_bad, st.integers(0, 300), st.integers(0, 300)).filter(lambda csat: csat.n),
)


@given(now=COUNTS, before=COUNTS)
def test_parts_add_up_to_the_change_whatever_the_ratings(now, before):
    found = mix.take_apart(now, before)

    assert mix.verdict(found)
    if found.change is not None:
        assert found.shift + found.within == pytest.approx(found.change, abs=1e-9)
    for times in ("share_now", "share_before"):
        assert sum(getattr(one, times) for one in found.channels) == pytest.approx(1) or not any(
            getattr(one, times) for one in found.channels
        )
