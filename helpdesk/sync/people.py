"""Who answers customers at a helpdesk, and who answered those whom nobody is named for."""

from dataclasses import replace
from datetime import timedelta

from django.utils import timezone

from helpdesk.actions import mapping
from helpdesk.models import HelpdeskAgent, HelpdeskConnection, Rating
from helpdesk.vendors import contract
from helpdesk.vendors.errors import NotFound

FRESH = timedelta(hours=1)  # for so long the list of people is not read again

Credit = Rating.Credit


def refresh(connection: HelpdeskConnection, client: contract.Client) -> None:
    """Read who answers customers there, unless that was done within the last hour, and recognise those who are known here."""
    lately = HelpdeskAgent.objects.filter(connection=connection, seen_at__gt=timezone.now() - FRESH).exclude(name="")
    if not lately.exists():
        mapping.learn(connection, client.people())
    mapping.recognise()


def completed(client: contract.Client, ratings: list[contract.Rating]) -> list[contract.Rating]:
    """The ratings, those without anybody's name credited to who replied last, where somebody did."""
    return [rating if rating.person_id else _credited(client, rating) for rating in ratings]


def _credited(client, rating):
    try:
        person = client.last_reply(rating.conversation_id)
    except NotFound:
        return rating
    return replace(rating, person_id=person, credit=Credit.LAST_REPLY) if person else rating
