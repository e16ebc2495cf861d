"""What the pages about members read: who is here, who is asked in, and who changed what."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Case, Count, Max, Q, Value, When
from django.db.models.functions import Coalesce, Lower, NullIf
from django.utils import timezone

from agents.models import Agent, BrowserSession, Invitation, Member
from agents.paging import Paged, n_pages_of, page_asked
from agents.people import invitations

PAGE_SIZE = 50
CHANGES_SHOWN = 10
CHANGES_OF_ONE_SHOWN = 50
LEFT = "left"
FILTERS = (
    ("", "Everybody here"),
    ("leaders", "Owner and admins"),
    ("member", "Members"),
    ("unlinked", "Not linked"),
    (LEFT, "Who left"),
)
BY_OPERATOR = "whoever runs this server"


@dataclass(frozen=True)
class Question:
    """What the list was asked for: words in name or email, which of the filters, which page from 1."""

    words: str = ""
    which: str = ""
    page: int = 1

    @classmethod
    def parse(cls, query):
        """From a QueryDict; what it does not understand is left out."""
        which = query.get("which", "")
        return cls(
            words=query.get("q", "").replace("\0", "").strip()[:200],
            which=which if which in dict(FILTERS) else "",
            page=page_asked(query),
        )

    def query(self, *, page) -> str:
        """The query of another page of the same list, with its question mark."""
        asked = {"q": self.words, "which": self.which, "page": "" if page == 1 else page}
        return "?" + urlencode({name: value for name, value in asked.items() if value})


@dataclass(frozen=True)
class Person:
    """A member as a row of the list. `seen_at`: when a browser of theirs was last here, or they last signed in."""

    member: Member
    seen_at: datetime | None
    n_browsers: int

    @property
    def sign_in(self) -> str:
        """How it stands with signing in, in words."""
        if not self.member.user.is_active:
            return "Account switched off"
        if not self.member.user.has_usable_password():
            return "No password yet"
        if self.n_browsers:
            return "Signed in" if self.n_browsers == 1 else f"Signed in, {self.n_browsers} browsers"
        return "Signed out" if self.seen_at else "Never signed in"


@dataclass(frozen=True)
class Change:
    """One version of a membership, told against the one before."""

    member: Member
    at: datetime
    by: str
    words: str


@dataclass(frozen=True)
class Asked:
    """An invitation that waits. `link` is empty where mail reaches people."""

    invitation: Invitation
    mail: str
    is_bad: bool
    is_expired: bool
    is_under_way: bool
    link: str


@dataclass(frozen=True)
class People(Paged):
    """The page."""

    question: Question
    people: list[Person]
    n_found: int
    n_here: int
    n_pages: int
    changes: list[Change]

    filters = FILTERS


def load(workspace, question) -> People:
    everybody = Member.objects.filter(workspace=workspace)
    found = _asked_for(everybody, question)
    n_found = found.count()
    n_pages = n_pages_of(n_found, PAGE_SIZE)
    if question.page > n_pages:
        question = Question(question.words, question.which, n_pages)
    first = (question.page - 1) * PAGE_SIZE
    rank = Case(When(role="owner", then=Value(0)), When(role="admin", then=Value(1)), default=Value(2))
    name = Lower(Coalesce(NullIf("user__name", Value("")), "user__email"))
    rows = found.select_related("user", "agent").order_by(rank, name, "pk")[first : first + PAGE_SIZE]
    return People(
        question=question,
        people=persons(list(rows)),
        n_found=n_found,
        n_here=everybody.filter(left_at=None).count(),
        n_pages=n_pages,
        changes=changes(Member.history.filter(workspace_id=workspace.pk), CHANGES_SHOWN),
    )


def persons(members) -> list[Person]:
    """The same members with when they were last here, by one query."""
    here = BrowserSession.objects.filter(user__in=[member.user_id for member in members])
    open_ones = Count("pk", filter=Q(expire_date__gt=timezone.now()))
    seen = here.order_by().values_list("user_id").annotate(at=Max("seen_at"), n=open_ones)
    by_user = {user_id: (at, n) for user_id, at, n in seen}
    found = []
    for member in members:
        at, n = by_user.get(member.user_id, (None, 0))
        times = [time for time in (at, member.user.last_login) if time]
        found.append(Person(member, max(times, default=None), n))
    return found


def asked_in(workspace) -> list[Asked]:
    """The invitations that wait, the newest first."""
    rows = Invitation.objects.waiting().filter(workspace=workspace).order_by("-created_at")
    return [_asked(row) for row in rows.select_related("agent", "invited_by__user", "workspace")]


def changes(history, most) -> list[Change]:
    """The newest versions among `history` (of memberships), each in words."""
    rows = list(history.select_related("history_user").order_by("-history_date", "-history_id")[:most])
    before = Q()
    for row in rows:
        before |= Q(id=row.id, version=row.version - 1)
    known = {(row.id, row.version): row for row in Member.history.filter(before)} if rows else {}
    members = Member.objects.select_related("user").in_bulk({row.id for row in rows})
    agents = {row.agent_id for row in [*rows, *known.values()]} - {None}
    names = dict(Agent.objects.filter(pk__in=agents).values_list("pk", "name"))
    return [
        Change(members[row.id], row.history_date, _author(row), words)
        for row in rows
        if row.id in members and (words := _told(row, known.get((row.id, row.version - 1)), names))
    ]


def _asked_for(everybody, question):
    found = everybody.filter(left_at__isnull=question.which != LEFT)
    found = {
        "leaders": found.exclude(role="member"),
        "member": found.filter(role="member"),
        "unlinked": found.filter(agent=None),
    }.get(question.which, found)
    for word in question.words.split():
        found = found.filter(Q(user__name__icontains=word) | Q(user__email__icontains=word))
    return found


def _asked(row):
    expired = row.expires_at <= timezone.now()
    is_owed = row.next_try_at is not None and not expired
    link = invitations.link(row) if not settings.MAIL_IS_CONFIGURED and not expired else ""
    if row.sent_at:
        words = "Mailed"
    elif is_owed and row.last_error:
        words = f"Not mailed yet. {row.last_error} It is tried again."
    elif is_owed:
        words = "The mail is on its way"
    elif row.last_error:
        words = f"Could not be mailed. {row.last_error}"
    elif link:
        words = "This server sends no mail"
    else:
        words = "Not mailed"
    is_bad = bool(row.last_error) and not row.sent_at
    return Asked(row, words, is_bad, expired, is_owed and not row.last_error, link)


def _author(row):
    return str(row.history_user) if row.history_user else BY_OPERATOR


def _told(row, before, names):
    role = row.get_role_display().lower()
    as_role = {"admin": "an admin", "owner": "the owner"}.get(role, "a member")
    own = f", linked to {names.get(row.agent_id, 'a row that is gone')}" if row.agent_id else ""
    if before is None:
        return f"came in as {as_role}{own}" if row.version == 1 else ""
    if row.left_at and not before.left_at:
        user_id = row.user_id
        return "left" if row.history_user_id == user_id else "was removed"
    if before.left_at and not row.left_at:
        return f"came back as {as_role}{own}"
    told = []
    if row.role != before.role:
        told.append(f"became {as_role}, was {before.get_role_display().lower()} before")
    if row.agent_id != before.agent_id:
        if row.agent_id:
            told.append(f"was linked to {names.get(row.agent_id, 'a row that is gone')}")
        else:
            told.append(f"is no longer linked to {names.get(before.agent_id, 'a row that is gone')}")
    return " and ".join(told)
