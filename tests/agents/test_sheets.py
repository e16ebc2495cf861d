"""What a spreadsheet program makes of our tables."""

import csv
import io
import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sheets import Sheet, cell

SIGNS = "=+-@\t\r\n＝＋－＠﹢﹣﹦﹫"
INVISIBLE = " \u00a0\u3000\ufeff\u200b\u200f\u202e\x0b\x00"

texts = st.text(st.one_of(st.sampled_from(SIGNS + INVISIBLE + "'\"#,;ab"), st.characters(exclude_categories=["Cs"])))


def written(rows):
    """The cells as Python's csv reads them back, header left out."""
    file = io.StringIO()
    sheet = Sheet(file, list(rows[0]))
    sheet.writeheader()
    sheet.writerows(rows)
    file.seek(0)
    return [list(row.values()) for row in csv.DictReader(file)]


def first_seen(text):
    """The first character that a program which trims would begin with, with its plain form for a full-width one."""
    seen = [c for c in text if not c.isspace() and unicodedata.category(c) not in ("Cc", "Cf")]
    return unicodedata.normalize("NFKC", seen[0])[:1] if seen else ""


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+49 30", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠SUM(A1)", " =1", "\u200b=1",
        "\ufeff=1", "\u202e=1", "=HYPERLINK(\"https://evil.example\",\"a\")", "=cmd|' /C calc'!A0",
    ],
)  # fmt: skip
def test_formula_becomes_text(text):
    [[found]] = written([{"a": text}])

    assert found == f"'{text}"


@pytest.mark.parametrize("value", [-0.3, -5, 12, 0.0, date(2026, 1, 31)])
def test_number_of_ours_stays_a_number(value):
    [[found]] = written([{"a": value}])

    assert found == str(value)


@pytest.mark.parametrize("text", ["Anna", "2 = 2", "a-b", "(see below)", "'quoted'", "“quoted”", "# 4", "", "Ω=1"])
def test_other_words_stay_as_they_are(text):
    assert written([{"a": text}, {"a": "x"}])[0] == [text]


@given(rows=st.lists(st.lists(texts, min_size=3, max_size=3), min_size=1, max_size=5))
def test_no_cell_begins_with_a_sign_and_every_cell_comes_back(rows):
    found = written([dict(zip("abc", row, strict=True)) for row in rows])

    cells = [pair for row, told in zip(rows, found, strict=True) for pair in zip(row, told, strict=True)]
    assert [told for _, told in cells if told[:1] in tuple(SIGNS) or first_seen(told) in tuple("=+-@")] == []
    assert [(text, told) for text, told in cells if told not in (text, f"'{text}")] == []
    assert cell(None) is None
