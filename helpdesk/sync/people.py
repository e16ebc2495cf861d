"""Who answers customers at a helpdesk, and who answered those whom nobody is named for."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from django.utils import timezone

from helpdesk.actions import mapping
from helpdesk.models import HelpdeskAgent, HelpdeskConnection, Rating
from helpdesk.vendors import contract
from helpdesk.vendors.errors import NotFound, VendorError

FRESH = timedelta(hours=1)  # for so long the list of people is not read again

Credit = Rating.Credit


def refresh(connection: HelpdeskConnection, client: contract.Client) -> None:
    """Read who answers customers there, unless that was done within the last hour, and recognise those who are known here.

    An account that has no such list is read without it: its people become known by the ratings that name them.
    """
    lately = HelpdeskAgent.objects.filter(connection=connection, seen_at__gt=timezone.now() - FRESH).exclude(name="")
    if not lately.exists():
        with suppress(NotFound):
            mapping.learn(connection, client.people())
    mapping.recognise()


def completed(
    connection: HelpdeskConnection, client: contract.Client, ratings: Sequence[contract.Rating]
) -> tuple[list[contract.Rating], VendorError | None]:
    """The ratings, those without anybody's name credited to who replied last, where somebody did.

    That takes a call for each, which may be too many for once. Then what is complete comes back with the fault; whoever reads
    the same page again is not asked for those that are stored, so every try comes further.
    """
    known = _credited_already(connection, [rating for rating in ratings if not rating.person_id])
    told: list[contract.Rating] = []
    for rating in ratings:
        if not rating.person_id and known.isdisjoint(_names(rating)):
            try:
                rating = _credited(client, rating)
            except VendorError as fault:
                return told, fault
        told.append(rating)
    return told, None


def _credited_already(connection, ratings) -> set[tuple]:
    """What is known and credited of these, as `_names` calls it: nobody is asked for that again."""
    if not ratings:
        return set()
    credited = Rating.objects.counting().filter(
        conversation__workspace=connection.workspace_id,
        conversation__source=connection.source,
        conversation__external_id__in=[rating.conversation_id for rating in ratings],
        helpdesk_agent__isnull=False,
    )
    known = credited.values_list("conversation__external_id", "rated_at", "external_id", "value")
    return {name for told, at, own, value in known for name in ((told, at), (told, own, value))}


def _names(rating) -> set[tuple]:
    """By what a rating is known again: its conversation and instant, or its own id as long as its value is the same."""
    by_id = {(rating.conversation_id, rating.id, rating.value)} if rating.id else set()
    return {(rating.conversation_id, rating.rated_at), *by_id}


def _credited(client, rating):
    try:
        person = client.last_reply(rating.conversation_id)
    except NotFound:
        return rating
    return replace(rating, person_id=person, credit=Credit.LAST_REPLY) if person else rating
