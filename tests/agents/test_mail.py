"""Mail leaves by a real server; what it refuses becomes a sentence, permanent or not."""

import socket

import pytest
from django.core import mail as outbox

from agents.people import mail
from tests.smtp_server import smtp_server, use

CONTEXT = {"user": {"email": "ana@test.example"}, "link": "http://localhost/x?a=1&b=2", "hours": 2}


def send(subject="Set a new password", context=CONTEXT):
    mail.send("ana@test.example", subject, "password_reset", context)


def failure():
    with pytest.raises(mail.MailFailed) as failed:
        send()
    return failed.value.sentence, failed.value.permanent


def test_mail_arrives_as_text_and_as_page(settings):
    settings.DEFAULT_FROM_EMAIL = "touchline@desk.example"
    with smtp_server(settings) as server:
        send()

    [got] = server.mails
    assert (got["To"], got["From"], got["Subject"]) == (
        "ana@test.example",
        "touchline@desk.example",
        "Set a new password",
    )
    assert got["Auto-Submitted"] == "auto-generated"
    plain, page = got.get_body(("plain",)).get_content(), got.get_body(("html",)).get_content()
    assert "http://localhost/x?a=1&b=2" in plain
    assert 'href="http://localhost/x?a=1&amp;b=2"' in page


def test_names_begin_no_headers_and_no_markup(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    hostile = "Ana\r\nBcc: all@test.example <b>&"

    send(f"{hostile} invites you", CONTEXT | {"user": {"email": hostile}})

    [sent] = outbox.outbox
    assert sent.subject == "Ana Bcc: all@test.example <b>& invites you"
    assert "Bcc" not in sent.message()
    assert "<b>&" in sent.body
    assert "&lt;b&gt;&amp;" in sent.alternatives[0].content


@pytest.mark.parametrize(
    ("answers", "sentence", "permanent"),
    [
        ({"RCPT": "550 No such user"}, "The mail server refused the address: 550 No such user", True),
        ({"RCPT": "450 Mailbox busy"}, "The mail server refused the address: 450 Mailbox busy", False),
        ({"MAIL_TEXT": "554 Spam\x07 \xff"}, "The mail server refused the mail: 554 Spam ÿ", True),
        ({"MAIL_TEXT": "451 Later"}, "The mail server refused the mail: 451 Later", False),
        ({"MAIL": "553 Not from you"}, "The mail server refused the mail: 553 Not from you", False),
        ({"MAIL": "hang up"}, "The mail server 127.0.0.1 hung up.", False),
    ],
)
def test_refusal_of_the_server_is_told_in_a_sentence(settings, answers, sentence, permanent):
    with smtp_server(settings, **answers):
        assert failure() == (sentence, permanent)


def test_server_that_is_not_there_is_another_try(settings):
    use(settings, 1)

    assert failure() == ("Nothing answers at the mail server 127.0.0.1.", False)


def test_server_that_does_not_answer_is_not_waited_for_longer_than_the_timeout(settings):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        use(settings, silent.getsockname()[1])
        settings.EMAIL_TIMEOUT = 0.2

        assert failure() == ("The mail server 127.0.0.1 did not answer in time.", False)


def test_server_without_the_encryption_that_is_asked_for_gets_no_mail(settings):
    with smtp_server(settings, STARTTLS="502 No") as server:
        settings.EMAIL_USE_TLS = True
        sentence, permanent = failure()

    assert sentence.startswith("The mail server 127.0.0.1 cannot do what EMAIL_URL asks for:")
    assert (permanent, server.mails) == (False, [])
