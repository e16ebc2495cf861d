"""Whom the flag would have named in a file of past ratings, before it is switched on."""

import json
import sys
from dataclasses import asdict, fields
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agents.sheets import Sheet
from coaching.csat import backtests, rated_files
from coaching.texts.numbers import counted
from coaching.trajectory import Sensitivity, threshold
from helpdesk import files
from helpdesk.management.progress import Bar, Report
from helpdesk.models import Scale
from helpdesk.rows import Refused

COLUMNS = [field.name for field in fields(rated_files.Found)]
OURS = ("agent", "rated_at", "score", "value", "external_id", "scale", "source", "team")


class Command(BaseCommand):
    help = (
        "Replay the flag over past ratings, a sweep a day, and say who would have been flagged and why. Columns: agent, "
        "rated_at, score (0 to 1, or on a scale that import_ratings knows); optional team, external_id (then one rating per "
        "conversation counts), scale. Nothing is stored. With --shuffle it also says how many flags remain when the days of each "
        "agent are in random order: these are false. Exits with 0 where all rows were read, 1 where some were refused, "
        "2 where nothing could be read."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, metavar="FILE.csv")
        parser.add_argument("--out", type=Path, metavar="FLAGS.csv", help="write the flags here as well")
        parser.add_argument(
            "--json",
            action="store_true",
            help="print the flags as a JSON list and nothing else; with --shuffle an object {flags, shuffled}",
        )
        parser.add_argument(
            "--sensitivity",
            choices=[level.value for level in Sensitivity],
            default=Sensitivity.BALANCED.value,
            help=f"how readily to flag (default: {Sensitivity.BALANCED.value})",
        )
        parser.add_argument("--shuffle", action="store_true", help="count the false flags on shuffled days as well")
        parser.add_argument(
            "--map", nargs="+", action="extend", default=[], metavar="OURS=THEIRS", help="what a column is called there"
        )
        parser.add_argument(
            "--scale", choices=Scale.values, help="how to read the scores, where the file does not tell"
        )

    def handle(self, *, file, out, scale, sensitivity, shuffle, **options):
        try:
            with files.RatingsCsv(file, dict(map(self._pair, options["map"])), rated_files.NEEDED) as table:
                ratings, report = self._read(table, scale)
        except files.Unreadable as error:
            raise CommandError(str(error), returncode=2) from None
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.", returncode=2) from None
        found, check = self._replay(ratings, sensitivity, shuffle=shuffle)
        if out is not None:
            self._write(out, found)
        if options["json"]:
            told = [asdict(flag) for flag in found]
            if check is not None:
                told = {"flags": told, "shuffled": self._shuffled(check)}
            self.stdout.write(json.dumps(told, default=str, ensure_ascii=False, indent=1))
        else:
            self._tell(ratings, found)
            if check is not None:
                self.stdout.write(f"On these data {check.sentence}")
        for line, why in report.refusals:
            self.stderr.write(f"line {line}: {why}")
        if report.counts["refused"] > len(report.refusals):
            self.stderr.write(f"… and {report.counts['refused'] - len(report.refusals):,} more refused.")
        if not report.counts:
            raise CommandError("The file has a header and no rows.", returncode=2)
        if report.exit_code():
            sys.exit(report.exit_code())

    def _read(self, table, scale):
        ratings, report, now = rated_files.Ratings(), Report(), timezone.now()
        scale = scale or rated_files.scale_of(table)
        bar = Bar(self.stderr, table.size)
        for line, cells in table.rows():
            try:
                if isinstance(cells, Refused):
                    raise cells
                ratings.add(*rated_files.rating_of(line, cells, table.columns, scale=scale, now=now))
                report.counts["accepted"] += 1
            except Refused as refused:
                report.refuse(line, refused)
            bar.at(table.position)
        bar.clear()
        return ratings, report

    def _replay(self, ratings, sensitivity, *, shuffle):
        """(flags, Check or None)"""
        if not ratings.rows:
            return [], backtests.Check(flags=0, agent_quarters=0.0, repeats=0) if shuffle else None
        history = rated_files.history_of(ratings)
        n_agents, n_days = history.days.n.shape
        first, thresholds = history.days.first_day, {sensitivity: threshold(n_agents, sensitivity)}
        bar = Bar(self.stderr, 100)
        replayed, checks = backtests.run(history, first, first + n_days - 1, thresholds, bar.at, shuffle=shuffle)
        bar.clear()
        return rated_files.found_in(replayed.raised[sensitivity], history), checks.get(sensitivity)

    def _shuffled(self, check):
        return {
            "flags": check.flags,
            "agent_quarters": round(check.agent_quarters, 2),
            "repeats": check.repeats,
            "per_1000": None if check.per_1000 is None else round(check.per_1000, 2),
        }

    def _pair(self, pair):
        ours, _, theirs = pair.partition("=")
        if ours not in OURS or not theirs:
            raise CommandError(f"--map takes OURS=THEIRS, where OURS is one of {', '.join(OURS)}.", returncode=2)
        return {"score": "value"}.get(ours, ours), theirs

    def _write(self, path, found):
        try:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = Sheet(file, COLUMNS)
                writer.writeheader()
                writer.writerows(asdict(flag) for flag in found)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.", returncode=2) from None

    def _tell(self, ratings, found):
        for flag in found:
            end = f"{flag.ended_by} on {flag.ended_on}" if flag.ended_on else "open to the end"
            self.stdout.write(f"{flag.raised_on}  {flag.agent}  ({end})\n    {flag.reason}")
        earlier = f" ({ratings.superseded:,} more of conversations rated again)" if ratings.superseded else ""
        self.stdout.write(
            f"{counted(len(ratings.rows), 'rating')}{earlier} of {counted(len(ratings.agents), 'agent')}: "
            f"{counted(len(found), 'flag')} on {counted(len({flag.agent for flag in found}), 'agent')}."
        )
