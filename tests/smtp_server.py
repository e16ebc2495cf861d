"""A mail server of our own, for tests: real sockets, and answers as told."""

import socket
import socketserver
import threading
from contextlib import contextmanager
from email import message_from_bytes, policy


class Server(socketserver.ThreadingTCPServer):
    """Keeps `mails`; `answers` says what a command is answered instead of 250, as {"RCPT": "550 No such user"}."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, answers, port):
        super().__init__(("127.0.0.1", port), Talk)
        self.answers = answers
        self.mails = []
        self.taken = threading.Event()


class Talk(socketserver.StreamRequestHandler):
    def handle(self):
        self.say("220 test.example")
        while line := self.rfile.readline():
            verb = line.decode().split()[0].upper() if line.split() else ""
            answer = self.server.answers.get(verb, "250 OK")
            if answer == "hang up":
                return
            if verb == "QUIT":
                self.say("221 Bye")
                return
            if verb == "DATA" and answer == "250 OK":
                self.say("354 Go on")
                self.server.mails.append(message_from_bytes(self.read_mail(), policy=policy.default))
                answer = self.server.answers.get("MAIL TEXT", "250 Taken")
                self.server.taken.set()
            self.say(answer)

    def read_mail(self):
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        return b"".join(lines)

    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def smtp_server(settings, port=0, **answers):
    """Yields the server, with Django's settings pointing at it. `answers` by verb: RCPT="550 No such user"."""
    with Server({verb.replace("_", " "): answer for verb, answer in answers.items()}, port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        use(settings, server.server_address[1])
        yield server
        server.shutdown()
        thread.join()


def nobody_listens(settings) -> int:
    """Let mail go to a port of this machine where no server is yet; returns the port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    use(settings, port)
    return port


def use(settings, port):
    """Let mail go to that port of this machine."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_TIMEOUT = 5
    settings.MAIL_IS_CONFIGURED = True
