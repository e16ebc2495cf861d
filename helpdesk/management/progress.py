"""How an import speaks to whoever runs it: a bar while it works, then what became of every row."""

import time
from collections import Counter

SHOWN = 20  # refused rows that are listed one by one
NAMED = 50  # agents that are listed by name
WIDTH = 30
EVERY = 0.1  # seconds


class Bar:
    """A progress bar on a terminal; nothing where the output goes to a file."""

    def __init__(self, out, total: int):
        self.out, self.total, self.drawn_at = out, max(total, 1), 0.0
        self.shown = out.isatty()

    def at(self, done: int):
        if self.shown and time.monotonic() - self.drawn_at > EVERY:
            self.drawn_at = time.monotonic()
            share = min(done / self.total, 1)
            self.out.write(f"\r[{'#' * int(share * WIDTH):<{WIDTH}}] {share:4.0%}", ending="")
            self.out.flush()

    def clear(self):
        if self.shown:
            self.out.write("\r" + " " * (WIDTH + 8) + "\r", ending="")


class Report:
    """Counts what became of each row, and keeps the first refusals with their lines."""

    def __init__(self):
        self.counts, self.refusals, self.made = Counter(), [], []

    def refuse(self, line: int, refused):
        self.counts["refused"] += 1
        if len(self.refusals) < SHOWN:
            self.refusals.append((line, str(refused)))

    def tell(self, out, err, what: str, words: dict[str, str]):
        """Write the report. `words` is {outcome: what it means}, in the order to be told."""
        total = self.counts.total()
        out.write(f"{total:,} {what} read.")
        for outcome, meaning in words.items():
            if self.counts[outcome] or outcome == "accepted":
                out.write(f"  {self.counts[outcome]:>9,} {outcome}: {meaning}")
        if self.made:
            more = f" and {len(self.made) - NAMED:,} more" if len(self.made) > NAMED else ""
            names = ", ".join(agent.name for agent in self.made[:NAMED])
            out.write(f"{len(self.made):,} new agent{'s' if len(self.made) > 1 else ''}: {names}{more}.")
        for line, why in sorted(self.refusals):
            err.write(f"line {line}: {why}")
        if self.counts["refused"] > len(self.refusals):
            err.write(f"… and {self.counts['refused'] - len(self.refusals):,} more refused.")

    def exit_code(self) -> int:
        """0: all landed; 1: some were refused; 2: nothing could be taken."""
        if self.counts.total() == self.counts["refused"]:
            return 2
        return 1 if self.counts["refused"] else 0
