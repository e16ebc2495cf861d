"""Conversations with their transcripts from a JSONL file."""

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agents import actions as agents
from agents.management.operators import workspace_of
from agents.models import Agent, Door
from agents.names import AmbiguousAgent
from helpdesk import actions, files, rows, tau, times
from helpdesk.management.progress import Bar, Report
from helpdesk.models import Conversation

OUTCOMES = {
    "accepted": "new",
    "updated": "known, and something changed",
    "unchanged": "known already",
    "refused": "see below",
}


class Command(BaseCommand):
    help = (
        "Bring in conversations from a JSONL file, one body of POST /conversations a line, or with --format tau one "
        "tool-using conversation in the OpenAI message shape a line. Safe to repeat. Exits with 0 where all lines landed, "
        "1 where some were refused, 2 where nothing could be read."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, metavar="FILE.jsonl")
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--agent", metavar="NAME", help="for lines that name none; made as an AI agent if new")
        parser.add_argument(
            "--system-prompt", type=Path, metavar="FILE", help="the prompt of the agent, where it is new"
        )
        parser.add_argument("--format", choices=["api", "tau"], default="api")
        tau_only = parser.add_argument_group("with --format tau, whose lines carry no times")
        tau_only.add_argument(
            "--closed-at", metavar="TIME", help="when the last conversation was closed (default: now)"
        )
        tau_only.add_argument(
            "--spacing",
            type=int,
            default=60,
            metavar="MINUTES",
            help="between one conversation and the next (default: 60)",
        )
        tau_only.add_argument(
            "--csat-from",
            choices=["reward"],
            help="take the test's reward for a rating: good from 1, else bad. A verdict, not a customer's opinion",
        )

    def handle(self, *, file, workspace, **options):
        workspace = workspace_of(workspace)
        self._check(options)
        report = Report()
        try:
            prompt = options["system_prompt"].read_text(encoding="utf-8-sig") if options["system_prompt"] else ""
            with file.open("rb") as opened:
                last = self._last_closed_at(opened, workspace, options)
                self._make_agent(workspace, options["agent"], prompt, report)
                self._import(opened, file.stat().st_size, workspace, options, last, report)
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}.", returncode=2) from None
        except UnicodeDecodeError:
            raise CommandError(f"{options['system_prompt']} is not UTF-8.", returncode=2) from None
        report.tell(self.stdout, self.stderr, "conversations", OUTCOMES)
        if not report.counts:
            raise CommandError("The file holds no conversation.", returncode=2)
        if report.exit_code():
            sys.exit(report.exit_code())

    def _check(self, options):
        is_tau = options["format"] == "tau"
        if is_tau and not options["agent"]:
            raise CommandError("--format tau needs --agent NAME: its lines name nobody.", returncode=2)
        if not is_tau and (options["closed_at"] or options["csat_from"]):
            raise CommandError("--closed-at and --csat-from go with --format tau.", returncode=2)
        if options["system_prompt"] and not options["agent"]:
            raise CommandError("--system-prompt needs --agent NAME.", returncode=2)
        if options["spacing"] < 0:
            raise CommandError("--spacing is a number of minutes from 0.", returncode=2)

    def _last_closed_at(self, opened, workspace, options):
        if not options["closed_at"]:
            return timezone.now()
        try:
            return times.from_text(options["closed_at"], zone=workspace.zone, now=timezone.now())
        except times.NotATime as error:
            raise CommandError(f"--closed-at: {error}", returncode=2) from None

    def _make_agent(self, workspace, name, prompt, report):
        if not name:
            return
        try:
            agent = actions.agent_meant(workspace, name)
            if prompt and not agent.is_ai:
                raise CommandError(f"{agent} is a person and has no prompt.", returncode=2)
            if prompt and agent.prompt.system_prompt.strip() != prompt.strip():
                self.stderr.write(f"{agent} is known and keeps the prompt it has (version {agent.prompt.version}).")
        except AmbiguousAgent as error:
            raise CommandError(error.with_ids, returncode=2) from None
        except rows.Refused:
            try:
                agent = agents.create_agent(
                    workspace, name=name, kind=Agent.Kind.AI, system_prompt=prompt, by=None, door=Door.COMMAND
                )
            except ValidationError as error:
                raise CommandError(" ".join(error.messages), returncode=2) from None
            report.made.append(agent)

    def _import(self, opened, size, workspace, options, last, report):
        now, bar = timezone.now(), Bar(self.stderr, size)
        is_tau = options["format"] == "tau"
        behind = sum(1 for _ in files.json_lines(opened)) if is_tau else 0
        opened.seek(0)
        for line, item in files.json_lines(opened):
            behind -= 1
            try:
                if isinstance(item, rows.Refused):
                    raise item
                if is_tau:
                    row = tau.conversation_from_tau(
                        item, agent=options["agent"], now=now, rate=bool(options["csat_from"])
                    )
                    row = _timed(row, workspace, last - timedelta(minutes=options["spacing"]) * behind)
                else:
                    row = rows.conversation_from_json(item, now=now, agent=options["agent"] or "")
                _, outcome = actions.upsert_conversation(workspace, row)
                report.counts[outcome.value] += 1
            except (rows.Refused, AmbiguousAgent) as refused:
                report.refuse(line, refused)
            bar.at(opened.tell())
        bar.clear()


def _timed(row, workspace, closed_at):
    """A repeated import keeps the time that the first one gave."""
    known = Conversation.objects.filter(
        workspace=workspace, source=row.source, external_id=row.external_id, closed_at__isnull=False
    )
    return row if known.exists() else replace(row, closed_at=closed_at)
