"""Lists in pages: which page an address asks for, how many there are, the addresses of those around it."""

DIGITS = 6  # of a page's number; no list is longer


def page_asked(query, name="page") -> int:
    """The page that a QueryDict asks for under `name`, from 1; the first where it names none."""
    page = query.get(name, "")
    return max(1, int(page)) if page.isdecimal() and len(page) <= DIGITS else 1


def n_pages_of(n, size) -> int:
    """How many pages of `size` hold `n` rows; an empty list has one."""
    return max(1, -(-n // size))


class Paged:
    """The addresses of the pages around this one, None at the ends; for lists with `question` and `n_pages`."""

    @property
    def previous_page(self):
        return self.question.query(page=self.question.page - 1) if self.question.page > 1 else None

    @property
    def next_page(self):
        return self.question.query(page=self.question.page + 1) if self.question.page < self.n_pages else None
