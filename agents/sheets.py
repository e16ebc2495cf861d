"""Tables for spreadsheet programs, which run what looks like a formula."""

import csv
import unicodedata

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value):
    """The value as a spreadsheet shows it and does not run it: text that could be read as a formula begins with an apostrophe.

    Numbers and days are ours and stay as they are. Full-width signs count as their plain ones, for programs with an East Asian
    input read them so; blanks and invisible characters before a sign count as nothing, for an import may trim them.
    """
    return f"'{value}" if isinstance(value, str) and _runs(value) else value


def _runs(text):
    if text.startswith(FORMULA):
        return True
    for character in text:
        if not character.isspace() and unicodedata.category(character) not in ("Cc", "Cf"):
            return unicodedata.normalize("NFKC", character).startswith(FORMULA)
    return False


class Sheet(csv.DictWriter):
    """Writes rows as CSV (RFC 4180), every cell made harmless."""

    def writerow(self, row):
        return super().writerow({name: cell(value) for name, value in row.items()})

    def writerows(self, rows):
        for row in rows:
            self.writerow(row)
