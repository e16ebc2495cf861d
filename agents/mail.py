"""Mail to people: one message from a template, through Django's backend. Its errors become a sentence, permanent or not."""

import smtplib
from contextlib import suppress

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string


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
    message = EmailMultiAlternatives(subject, render_to_string(f"mail/{template}.txt", context), to=[to])
    with suppress(TemplateDoesNotExist):
        message.attach_alternative(render_to_string(f"mail/{template}.html", context), "text/html")
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()))[0]
        raise MailFailed(f"The mail server refused the address ({code}).", permanent=code >= 500) from error
    except smtplib.SMTPResponseException as error:
        # 5xx of a sign-in is about our settings, which an operator mends; of the message itself nobody does.
        permanent = error.smtp_code >= 500 and not isinstance(error, smtplib.SMTPAuthenticationError)
        raise MailFailed(f"The mail server refused the mail ({error.smtp_code}).", permanent=permanent) from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailFailed(f"The mail server could not be reached ({type(error).__name__}).") from error
