"""manage.py rotate_secrets: after a new key was put in front of FIELD_KEYS, and before the old one is taken away."""

from django.core.management.base import BaseCommand, CommandError

from agents import encryption


class Command(BaseCommand):
    help = (
        "Write every stored secret anew under the newest key of FIELD_KEYS. Safe to repeat, and while Touchline runs."
    )

    def handle(self, *args, **options):
        written = already = unreadable = 0
        for outcome, where in encryption.rotate():
            written += outcome is encryption.Rotated.WRITTEN
            already += outcome is encryption.Rotated.ALREADY
            if outcome is encryption.Rotated.UNREADABLE:
                unreadable += 1
                self.stdout.write(f"{where} cannot be read under any of FIELD_KEYS.")
        self.stdout.write(f"{_secrets(written)} under the newest key now; {already} {_were(already)} already.")
        if unreadable:
            raise CommandError(
                f"{unreadable} secret{'s' * (unreadable != 1)} cannot be read. Put {'it' if unreadable == 1 else 'them'} in "
                "again, or bring the old key back into FIELD_KEYS."
            )


def _secrets(n):
    return f"{n} secret is" if n == 1 else f"{n} secrets are"


def _were(n):
    return "was" if n == 1 else "were"
