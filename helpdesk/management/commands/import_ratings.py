"""Ratings from a CSV file."""

import sys
from itertools import islice
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agents.management.operators import workspace_of
from agents.models import Door
from helpdesk import actions, files, rows, scales
from helpdesk.management.progress import Bar, Report
from helpdesk.models import API_SOURCE

OUTCOMES = {
    "accepted": "the first rating of its conversation",
    "updated": "it counts now in place of an earlier one, or corrects what was known",
    "unchanged": "known already",
    "superseded": "kept, but a later rating of its conversation counts",
    "refused": "see below",
}


class Command(BaseCommand):
    help = (
        "Bring in ratings from a CSV file. Columns: external_id (or conversation_id), agent, value (or score), rated_at "
        "(or closed_at); optional scale, source, team, channel, closed_at. Safe to repeat. Exits with 0 where all rows "
        "landed, 1 where some were refused, 2 where nothing could be read."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, metavar="FILE.csv")
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--source", default=API_SOURCE, help=f"for rows that name none (default: {API_SOURCE})")
        parser.add_argument(
            "--map", nargs="+", action="extend", default=[], metavar="OURS=THEIRS", help="what a column is called there"
        )
        parser.add_argument("--no-create", action="store_true", help="refuse rows of unknown agents")

    def handle(self, *, file, workspace, source, no_create, **options):
        workspace = workspace_of(workspace)
        renamed = dict(self._pair(pair) for pair in options["map"])
        try:
            rows.checked_source(source)
            with files.RatingsCsv(file, renamed) as table:
                report = self._import(table, workspace, source, make_agents=not no_create)
        except (files.Unreadable, rows.Refused) as error:
            raise CommandError(str(error), returncode=2) from None
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.", returncode=2) from None
        report.tell(self.stdout, self.stderr, "rows", OUTCOMES)
        if not report.counts:
            raise CommandError("The file has a header and no rows.", returncode=2)
        if report.exit_code():
            sys.exit(report.exit_code())

    def _import(self, table, workspace, source, *, make_agents):
        now, zone, report = timezone.now(), workspace.zone, Report()
        scale = scales.guess(table.values_without_a_scale())
        bar, cells = Bar(self.stderr, table.size), table.rows()
        while portion := list(islice(cells, actions.BATCH)):
            lines, read = [], []
            for line, row in portion:
                try:
                    if isinstance(row, rows.Refused):
                        raise row
                    read.append(
                        rows.rating_from_cells(row, table.columns, zone=zone, now=now, scale=scale, source=source)
                    )
                    lines.append(line)
                except rows.Refused as refused:
                    report.refuse(line, refused)
            recorded = actions.record_ratings(workspace, read, make_agents=make_agents, door=Door.COMMAND)
            report.made.extend(recorded.made)
            for line, fate in zip(lines, recorded.fates, strict=True):
                if isinstance(fate, rows.Refused):
                    report.refuse(line, fate)
                else:
                    report.counts[fate.value] += 1
            bar.at(table.position)
        bar.clear()
        return report

    def _pair(self, pair):
        ours, _, theirs = pair.partition("=")
        ours = {other: name for name, other in files.ALSO_CALLED.items() if name != "rated_at"}.get(ours, ours)
        if ours not in rows.CSV_COLUMNS or not theirs:
            raise CommandError(
                f"--map takes OURS=THEIRS, where OURS is one of {', '.join(rows.CSV_COLUMNS)}.", returncode=2
            )
        return ours, theirs
