"""Mail to people: one message from a template, through Django's backend. Its errors become a sentence, permanent or not."""

import smtplib
import socket
import ssl
from contextlib import suppress

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template import Context, Engine, TemplateDoesNotExist
from django.template.loader import render_to_string
from django.utils import timezone

from agents import work

MOST_TOLD = 200  # characters of what the mail server said
# A 5xx about the address or the message stays; one about how we come or sign in is mended in our settings.
OURS_TO_MEND = (
    smtplib.SMTPAuthenticationError,
    smtplib.SMTPConnectError,
    smtplib.SMTPHeloError,
    smtplib.SMTPSenderRefused,
)


class MailFailed(Exception):
    """The mail did not leave. `permanent`: another try with the same message makes no sense."""

    def __init__(self, sentence: str, *, permanent: bool = False):
        super().__init__(sentence)
        self.sentence = sentence
        self.permanent = permanent


def send(to: str, subject: str, template: str, context: dict) -> None:
    """Send templates/mail/TEMPLATE.txt, and beside it TEMPLATE.html where there is one, to one address. Raises MailFailed."""
    subject = " ".join(subject.split())  # a name with a line break must not begin a header of its own
    context = {"public_url": settings.PUBLIC_URL} | context
    plain = Engine.get_default().get_template(f"mail/{template}.txt").render(Context(context, autoescape=False))
    message = EmailMultiAlternatives(subject, plain, to=[to], headers={"Auto-Submitted": "auto-generated"})
    with suppress(TemplateDoesNotExist):
        message.attach_alternative(render_to_string(f"mail/{template}.html", context), "text/html")
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        raise MailFailed(f"The mail server refused the address: {_said(code, words)}", permanent=code >= 500) from error
    except smtplib.SMTPResponseException as error:
        permanent = error.smtp_code >= 500 and not isinstance(error, OURS_TO_MEND)
        raise MailFailed(
            f"The mail server refused the mail: {_said(error.smtp_code, error.smtp_error)}", permanent=permanent
        ) from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailFailed(_unreached(error)) from error


def deliver(row, to: str, subject: str, template: str, context: dict) -> None:
    """Send what a claimed owed row with `sent_at` owes, and settle it: sent, tried again later, or given up.

    A row that changed hands while the mail was under way is left to who has it now.
    """
    with suppress(work.LeaseLost):
        try:
            with work.holding(row):
                send(to, subject, template, context)
        except MailFailed as failed:
            if failed.permanent:
                work.give_up(row, error=failed.sentence)
            else:
                work.put_off(row, error=failed.sentence)
        else:
            work.settle(row, sent_at=timezone.now())


def _said(code, words):
    words = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
    words = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return f"{code} {words[:MOST_TOLD]}".strip()


def _unreached(error):
    host = settings.EMAIL_HOST
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):  # smtplib hides it in its own
        return f"The mail server {host} did not answer in time."
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return f"The mail server {host} hung up."
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return f"The mail server {host} cannot do what EMAIL_URL asks for: {error}"
    if isinstance(error, ConnectionRefusedError):
        return f"Nothing answers at the mail server {host}."
    if isinstance(error, socket.gaierror):
        return f"The mail server {host} was not found."
    if isinstance(error, ssl.SSLError):
        return f"The mail server {host} could not be trusted: {error.reason or 'its certificate is not valid'}."
    return f"The mail server {host} could not be reached ({type(error).__name__})."
