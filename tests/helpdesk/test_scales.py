"""Values on their scales, and which scale values tell."""

import pytest

from helpdesk import scales
from helpdesk.models import Scale


@pytest.mark.parametrize(
    ("scale", "steps"),
    [
        (Scale.BINARY, {"bad": 0, "good": 10_000, "Good ": 10_000, "0": 0, "1": 10_000, "yes": 10_000}),
        (Scale.STARS5, {"1": 0, "2": 2_500, "3": 5_000, "4": 7_500, "5": 10_000, "4.0": 7_500}),
        (Scale.FACES3, {"not_good": 0, "Not good": 0, "okay": 5_000, "great": 10_000}),
        (Scale.HUBSPOT012, {"0": 0, "1": 5_000, "2": 10_000}),
        (
            Scale.FRESHDESK,
            {"-103": 0, "-102": 1_667, "-101": 3_333, "100": 5_000, "101": 6_667, "102": 8_333, "103": 10_000},
        ),
        (Scale.PERCENT, {"0": 0, "33.333": 3_333, "87.5": 8_750, "100": 10_000, "1e1": 1_000}),
    ],
)
def test_steps_of_a_scale_are_equally_far_apart(scale, steps):
    assert {value: scales.hundredths(value, scale) for value in steps} == steps


@pytest.mark.parametrize(
    ("value", "scale", "why"),
    [
        ("", "stars5", "The value is blank."),
        ("6", "stars5", '"6" is not on the scale stars5 (1, 2, 3, 4, 5).'),
        ("4.5", "stars5", '"4.5" is not on the scale stars5 (1, 2, 3, 4, 5).'),
        ("banana", "percent", '"banana" is not on the scale percent (a number from 0 to 100).'),
        ("101", "percent", '"101" is not on the scale percent (a number from 0 to 100).'),
        ("NaN", "percent", '"NaN" is not on the scale percent (a number from 0 to 100).'),
        ("1_0", "percent", '"1_0" is not on the scale percent (a number from 0 to 100).'),
        ("5", "stars", f'"stars" is not a scale; known are {", ".join(Scale.values)}.'),
    ],
)
def test_value_off_its_scale_is_refused_with_the_reason(value, scale, why):
    with pytest.raises(scales.UnknownValue) as refused:
        scales.hundredths(value, scale)

    assert str(refused.value) == why


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (["good", "bad"], "binary"),
        (["1", "5", "3"], "stars5"),
        (["4"], "stars5"),
        (["0", "2"], "hubspot012"),
        (["great", "not_good"], "faces3"),
        (["103", "-101"], "freshdesk"),
        (["100", "103"], "freshdesk"),
        (["12", "100", "0"], "percent"),
        (["good", "banana", ""], "binary"),  # what fits nothing says nothing
        (["1", "2"], None),  # stars, or 0 to 2
        (["0", "1"], None),  # good and bad, or 0 to 2
        (["100"], None),  # percent, or Freshdesk's neutral
        (["1", "7", "10"], None),  # up to ten: not known to be a percentage
        (["1", "2", "3", "4", "5", "55"], None),  # rather stars with a slip than six low percentages
        (["good", "5"], None),
        (["banana"], None),
        ([], None),
    ],
)
def test_scale_is_guessed_only_where_exactly_one_fits(values, scale):
    assert scales.guess(iter(values)) == scale
