"""Makes the demo workspace, by the same actions as the product's doors. Its dates follow the day it is loaded."""

import random
import secrets
from dataclasses import replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from agents import actions as agents
from agents.models import Agent, Door, Invitation, Member, User, Workspace
from agents.people import invitations, members
from coaching.actions import changes, effects, notes, proposals, samples, sessions, sweeps
from coaching.coach.tools import Toolbox
from coaching.csat import daily
from coaching.demo import content
from coaching.models import Flag, Note, Sample, Turn
from coaching.texts.verbatim import Guard
from helpdesk import actions as helpdesk
from helpdesk import rows
from helpdesk.models import DeepLink, Rating
from memories import actions as memories

SEED = 38
WEEKS = 30
SPEAKING = timedelta(seconds=50)  # a turn
NIGHTS = 4  # of which the demo's sweep is caught up
# Five stars or four where it went well, one to three where it did not; the mean decides how often it went well.
WELL, BADLY = ((5, 4), (85, 15)), ((1, 2, 3), (60, 20, 20))
MEAN_WELL, MEAN_BADLY = 0.9625, 0.15
LOGINS = (("owner", Member.Role.OWNER), ("admin", Member.Role.ADMIN), ("member", Member.Role.MEMBER))


def load(*, now=None):
    """Make the workspace and everything in it. Returns [(email, password)] of its logins, owner first."""
    now = now or timezone.now()
    zone = ZoneInfo(content.WORKSPACE["time_zone"])
    today = now.astimezone(zone).date()
    workspace, logins = _people()
    owner, admin = (workspace.members.get(role=role) for role in (Member.Role.OWNER, Member.Role.ADMIN))
    everyone = _agents(workspace, owner)
    members.link(workspace.members.get(role=Member.Role.MEMBER), by=owner, agent=everyone["Tom"])
    DeepLink.objects.create(workspace=workspace, source=content.SOURCE, conversation_pattern=content.DEEP_LINK)
    _knowledge(everyone, owner)
    _ratings(workspace, everyone, today, zone, now)
    complaints = _complaints(workspace, everyone[content.REFUNDS], now)
    talks = _talks(workspace, everyone, today, zone, now)
    for nights_ago in range(NIGHTS, 0, -1):
        night = datetime.combine(today - timedelta(days=nights_ago - 1), time(0, 30), zone)
        sweeps.sweep(workspace, today - timedelta(days=nights_ago))
        Flag.objects.filter(workspace=workspace, opened_at__gt=now).update(opened_at=min(night, now))
    for item in content.COACHING:
        _coach(item, everyone[item.agent], talks[item.talk], owner)
    _edit_prompt(everyone[content.REFUNDS], admin)
    _later_memories(everyone[content.REFUNDS], owner, admin, now)
    _pinned(everyone, owner, now)
    _summaries(everyone, complaints, talks)
    _notes(workspace, everyone, {"owner": owner, "admin": admin}, now)
    _doors(workspace, everyone, owner, now)
    yesterday = today - timedelta(days=1)
    effects.measure(workspace, daily.load(workspace, yesterday), yesterday)
    return logins


def _people():
    logins = [(f"{name}@demo.example", secrets.token_urlsafe(9)) for name, _ in LOGINS]
    workspace = Workspace.objects.create(**content.WORKSPACE)
    for (email, password), (name, role) in zip(logins, LOGINS, strict=True):
        user = User.objects.create_user(email, password, name=f"Demo {name}", is_staff=role != Member.Role.MEMBER)
        Member.objects.create(workspace=workspace, user=user, role=role)
    return workspace, logins


def _agents(workspace, owner):
    made = {}
    for voice in (*content.PEOPLE, *content.ASSISTANTS):
        ai = voice in content.ASSISTANTS
        fields = {"kind": Agent.Kind.AI, "coaching": True, "system_prompt": content.PROMPTS[voice.name]} if ai else {}
        made[voice.name] = agents.create_agent(
            workspace, name=voice.name, team=voice.team, by=owner, door=Door.COMMAND, **fields
        )
    return made


def _knowledge(everyone, owner):
    for name, entries in content.MEMORIES.items():
        for summary, text in entries:
            memories.create(everyone[name], by=owner, door=Door.COMMAND, summary=summary, text=text)
    for name, entries in content.PROCEDURES.items():
        for folder, title, trigger, steps in entries:
            agents.create_procedure(
                everyone[name], by=owner, door=Door.COMMAND, name=title, trigger=trigger, content=steps, folder=folder
            )


def _ratings(workspace, everyone, today, zone, now):
    chance, channels = random.Random(SEED), random.Random(SEED + 1)
    found = []
    for voice in (*content.PEOPLE, *content.ASSISTANTS):
        for days_ago in range(WEEKS * 7, 0, -1):
            fall = voice.falling_points / 100 if days_ago <= voice.falling_weeks * 7 else 0
            lower = voice.risen_points / 100 if days_ago > voice.risen_weeks * 7 else 0
            well = _going_well(voice.level - fall - lower)
            for _ in range(_poisson(chance, voice.weekly / 7)):
                went_well = chance.random() < well
                stars, weights = WELL if went_well else BADLY
                at = datetime.combine(today - timedelta(days=days_ago), time(8, 0), zone) + timedelta(
                    minutes=chance.randrange(10 * 60)
                )
                item = {
                    "source": content.SOURCE if voice in content.PEOPLE else "api",
                    "externalId": str(100_000 + len(found)),
                    "agent": str(everyone[voice.name].pk),
                    "value": chance.choices(stars, weights)[0],
                    "scale": "stars5",
                    "ratedAt": _ms(at),
                    "closedAt": _ms(at),
                }
                channel = _channel(channels, voice, fall, went_well)
                found.append(replace(rows.rating_from_json(item, now=now), channel=channel))
    helpdesk.record_ratings(workspace, found)


def _going_well(level):
    """How often it goes well at this level (both 0..1)."""
    return (level - MEAN_BADLY) / (MEAN_WELL - MEAN_BADLY)


def _channel(chance, voice, fall, went_well):
    """The channel of one conversation of which it is known how it went, so that the others go as well as ever in a fall that
    comes from one channel: by Bayes' rule, how likely each channel is for one that went so."""
    names, shares = list(content.CHANNELS), list(content.CHANNELS.values())
    if fall and voice.falling_on:
        badly, badly_before = 1 - _going_well(voice.level - fall), 1 - _going_well(voice.level)
        others = [0 if name == voice.falling_on else share for name, share in content.CHANNELS.items()]
        elsewhere = [share * ((1 - badly_before) if went_well else badly_before) for share in others]
        whole = (1 - badly) if went_well else badly
        shares = [part or whole - sum(elsewhere) for part in elsewhere]
    return chance.choices(names, shares)[0]


def _poisson(chance, mean):
    """How many of something that happens `mean` times a day on average happened today."""
    count, left = 0, chance.expovariate(1)
    while left < mean:
        count, left = count + 1, left + chance.expovariate(1)
    return count


def _talks(workspace, everyone, today, zone, now):
    made = {}
    for talk in content.TALKS:
        agent = everyone[talk.agent]
        opened = datetime.combine(today - timedelta(days=talk.days_ago), time(10, 42), zone)
        closed = opened + SPEAKING * len(talk.turns)
        known = list(agent.memories.order_by("created_at"))
        body = {
            "source": "api",
            "externalId": talk.key,
            "agent": str(agent.pk),
            "openedAt": _ms(opened),
            "closedAt": _ms(closed),
            "status": "closed",
            "channel": talk.channel,
            "transcript": _turns(talk.turns, opened),
            "configurationVersion": agent.configuration_version or None,
            "memoriesServed": [{"id": str(known[n].pk), "version": known[n].version} for n in talk.memories],
            "csat": {"value": talk.stars, "scale": "stars5", "ratedAt": _ms(closed)},
        }
        body = {name: value for name, value in body.items() if value is not None}
        made[talk.key], _ = helpdesk.upsert_conversation(workspace, rows.conversation_from_json(body, now=now))
    return made


def _complaints(workspace, agent, now):
    """What was said where its customers were unhappy in its fall: these become samples, and a sample leads to its words.

    Returns {conversation's id: the place of what was said in COMPLAINTS}.
    """
    told_in = {}
    fall = next(voice.falling_weeks for voice in content.ASSISTANTS if voice.name == agent.name)
    unhappy = Rating.objects.filter(agent=agent, score_hundredths__lt=5_000, rated_at__gt=now - timedelta(weeks=fall))
    for number, rating in enumerate(unhappy.select_related("conversation").order_by("rated_at", "pk")):
        said = content.COMPLAINTS[number % len(content.COMPLAINTS)]
        told = {"order": f"W-{4900 + number}", "amount": 19 + number * 7 % 60}
        body = {
            "source": rating.conversation.source,
            "externalId": rating.conversation.external_id,
            "agent": str(agent.pk),
            "openedAt": _ms(rating.rated_at - SPEAKING * len(said)),
            "closedAt": _ms(rating.rated_at),
            "status": "closed",
            "channel": rating.conversation.channel,
            "transcript": _turns(
                [(role, text.format(**told)) for role, text in said], rating.rated_at - SPEAKING * len(said)
            ),
        }
        conversation, _ = helpdesk.upsert_conversation(workspace, rows.conversation_from_json(body, now=now))
        told_in[conversation.pk] = number % len(content.COMPLAINTS)
    return told_in


def _turns(said, opened):
    """The turns as a script would push them; what a tool said is given as "its name: its words"."""
    turns = []
    for number, (role, text) in enumerate(said):
        name, words = text.split(": ", 1) if role == "tool" else ("", text)
        turn = {"role": role, "text": words, "at": _ms(opened + SPEAKING * number)}
        turns.append(turn | ({"name": name} if name else {}))
    return turns


def _coach(item, agent, conversation, owner):
    """One session as the coach's worker would leave it: the tools check the evidence, only the words are given."""
    session = sessions.start(agent, by=owner, conversation=conversation)
    turn = sessions.claim(sessions.ask(session, by=owner, text=item.question, focus=item.focus).pk)
    toolbox = Toolbox(turn, guard=Guard(), proposal_limit=len(item.calls))
    for name, given in item.calls:
        toolbox.call(name, _with_ids(given, agent))
    sessions.finish(turn, Turn.State.DONE, text=item.answer)
    proposal = agent.proposals.get(session=session)
    if item.decision == "approve":
        proposals.approve(proposal, by=owner, door=Door.PAGE, note=item.words)
    elif item.decision == "reject":
        proposals.reject(proposal, by=owner, door=Door.PAGE, reason=item.words)


def _with_ids(given, agent):
    lists = {
        "memory": agent.memories.order_by("created_at"),
        "procedure": agent.procedures.order_by("created_at"),
    }

    def filled(value):
        for kind, listed in lists.items():
            if isinstance(value, str) and value.startswith(f"{{{kind}:"):
                return str(listed[int(value[len(kind) + 2 : -1])].pk)
        return value

    return {name: filled(value) for name, value in given.items()}


def _edit_prompt(agent, admin):
    old, new = content.PROMPT_EDIT
    prompt = agent.prompt
    agents.change_prompt(
        prompt, system_prompt=prompt.system_prompt.replace(old, new), base_version=prompt.version, by=admin, door=Door.PAGE,
        reason="Names make it warmer",
    )  # fmt: skip


def _later_memories(agent, owner, admin, now):
    """One that will expire, one that contradicts another, and a change that was taken back."""
    summary, text, days = content.EXPIRING
    expires_at = (now + timedelta(days=days)).replace(minute=0, second=0, microsecond=0)
    memories.create(agent, by=admin, door=Door.PAGE, summary=summary, text=text, expires_at=expires_at)
    summary, text = content.CONTRADICTION
    memories.create(agent, by=admin, door=Door.PAGE, summary=summary, text=text)
    entry = agent.memories.get(summary__startswith="Gift cards")
    memories.revise(
        entry, changes={"summary": "Gift cards expire after three years."}, base_version=1, by=admin, door=Door.PAGE
    )
    changes.take_back(agent.configurations.latest("number"), by=owner, door=Door.PAGE, note="They never expire.")


def _pinned(everyone, owner, now):
    for name, stars, days_ago, summary in content.PINNED:
        before = now - timedelta(days=days_ago)
        rated = Rating.objects.counting().filter(agent=everyone[name], value__in=stars, rated_at__lt=before)
        sample = samples.pin(rated.select_related("conversation").latest("rated_at").conversation, by=owner)
        _keep_summary(sample, summary)


def _summaries(everyone, complaints, talks):
    """What a model would have kept of the flagged agents' samples. The practice model has only what stands beside the words."""
    talk_of = {conversation.pk: content.TALK_SUMMARIES.get(key) for key, conversation in talks.items()}
    for name, kept in content.SAMPLE_SUMMARIES.items():
        for number, sample in enumerate(everyone[name].samples.order_by("score_hundredths", "-closed_at")):
            place = complaints.get(sample.conversation_id, number)
            _keep_summary(sample, talk_of.get(sample.conversation_id) or kept[place % len(kept)])


def _keep_summary(sample, summary):
    Sample.objects.filter(pk=sample.pk).update(
        summary=summary, summary_state=Sample.Summary.CAPTURED, next_try_at=None, attempts=0
    )


def _notes(workspace, everyone, authors, now):
    """The notes, with what became of each, on the days on which it did: also in the past, where no door would write."""
    today = now.astimezone(workspace.zone).date()
    for text in content.NOTES:
        agent, by = everyone[text.agent], authors[text.by]
        sample = None
        if text.on_sample is not None:
            sample = agent.samples.order_by("score_hundredths", "-closed_at")[text.on_sample]
        written = now - timedelta(days=text.days_ago)
        dated = {"created_at": written, "updated_at": written}
        if text.follow_up_in is not None:
            dated["follow_up_at"] = datetime.combine(
                today + timedelta(days=text.follow_up_in), time(9, 0), workspace.zone
            )
        note = notes.write(
            agent, by=by, body=text.first_words or text.body, sample=sample, shared_with_agent=text.shared
        )
        _date(note, history_date=written, **dated)
        if text.first_words:
            notes.edit(note, by=by, body=text.body)
            _date(note, history_date=written + timedelta(hours=2), **dated)
        if text.followed_up:
            note = notes.follow_up_done(note, by=by)
            done = dated["follow_up_at"] + timedelta(hours=1)
            _date(note, history_date=done, followed_up_at=done, **dated)
        if text.read_days_ago is not None:
            reader = workspace.members.get(agent=agent)
            note = notes.acknowledge(note, by=reader, body=note.body)
            read = now - timedelta(days=text.read_days_ago)
            _date(note, history_date=read, acknowledged_at=read, **dated)


def _date(note, *, history_date, **values):
    """Move the note, and the latest of its versions, to the day on which it is said to have been written."""
    Note.objects.filter(pk=note.pk).update(**values)
    latest = note.history.order_by("-version")[0]
    fields = {field.name for field in latest._meta.get_fields()}
    kept = {name: value for name, value in values.items() if name in fields}
    note.history.filter(version=latest.version).update(history_date=history_date, **kept)
    note.refresh_from_db()


def _doors(workspace, everyone, owner, now):
    """Who is invited and has not come in yet, and a token that a script uses."""
    email, name = content.INVITED
    invited = invitations.invite(workspace, email, by=owner, agent=everyone[name])
    Invitation.objects.filter(pk=invited.pk).update(next_try_at=None)  # the address is nobody's: no mail goes there
    name, scopes, days = content.TOKEN
    members.issue_token(owner, name=name, scopes=scopes, expires_at=now + timedelta(days=days))
    owner.tokens.update(last_used_at=now - timedelta(hours=5), created_at=now - timedelta(days=20))


def _ms(at):
    return int(at.timestamp() * 1000)
