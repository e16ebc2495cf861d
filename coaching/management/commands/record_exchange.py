"""One question to the coach, its exchange with the model written to a file without anybody's words."""

import json
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from agents.access import Refusal
from agents.management.operators import workspace_of
from agents.models import Agent, Member
from coaching import recording
from coaching.actions import connections, sessions
from coaching.coach import turns
from helpdesk.models import Conversation


class Command(BaseCommand):
    help = (
        "Ask the coach of an agent a question as the workspace's owner, here and now, and write what went over the wire to "
        "a file for tests. Texts become x's, ids count, no header but the answer's kind is kept. The session and its proposals "
        "are real and stay."
    )

    def add_arguments(self, parser):
        parser.add_argument("question")
        parser.add_argument("--workspace", metavar="SLUG", required=True)
        parser.add_argument("--agent", metavar="NAME", required=True)
        parser.add_argument("--conversation", metavar="ID", help="what the session is about (default: no conversation)")
        parser.add_argument("--out", metavar="DIR", type=Path, required=True)

    def handle(self, question, *, workspace, agent, conversation, out, **options):
        workspace = workspace_of(workspace)
        owner = Member.objects.current().get(workspace=workspace, role=Member.Role.OWNER)
        try:
            agent = Agent.objects.get(workspace=workspace, name=agent)
            if conversation is not None:
                conversation = Conversation.objects.get(workspace=workspace, pk=conversation)
            session = sessions.start(agent, by=owner, conversation=conversation)
            turn = sessions.claim(sessions.ask(session, by=owner, text=question).pk)
        except (Agent.DoesNotExist, Conversation.DoesNotExist, Agent.MultipleObjectsReturned) as error:
            raise CommandError(str(error), returncode=2) from None
        except (ValidationError, Refusal) as refused:
            raise CommandError(" ".join(getattr(refused, "messages", [str(refused)])), returncode=2) from None
        if turn is None:
            raise CommandError("A worker took the question first. Try again, or stop the worker.", returncode=1)
        recorder = recording.Recorder()
        turns.run(turn, connect=recorder.connect)
        turn.refresh_from_db()
        told = {
            "model": connections.of(workspace.pk).model_name,
            "state": turn.state,
            "error": turn.error,
            "exchanges": recording.masked(recorder.exchanges),
        }
        out.mkdir(parents=True, exist_ok=True)
        file = out / f"{turn.pk}.json"
        file.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        self.stdout.write(f"{turn.state} {turn.error}".strip())
        self.stdout.write(str(file))
