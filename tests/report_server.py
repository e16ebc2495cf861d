"""A server for error reports, for tests: takes Sentry's envelopes over a real socket and looks at them as Sentry's own does."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY, PROJECT = "examplekey", "42"


class Server(ThreadingHTTPServer):
    """Keeps the events of `reports`, and all bytes that came in as `raw`."""

    daemon_threads = True

    def __init__(self, status):
        super().__init__(("127.0.0.1", 0), Asked)
        self.status = status
        self.reports, self.raw = [], b""
        self.dsn = f"http://{KEY}@127.0.0.1:{self.server_address[1]}/{PROJECT}"


class Asked(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        said = f"{self.path} {dict(self.headers)}".encode() + body
        self.server.raw += said
        fault = self.fault(body)
        if fault is None and self.server.status == 200:
            self.server.reports.append(json.loads(body.split(b"\n")[2]))
        self.send_response(400 if fault else self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps({"detail": fault}).encode())

    def fault(self, body):
        if self.path != f"/api/{PROJECT}/envelope/":
            return "no such project"
        if (
            f"sentry_key={KEY}" not in self.headers["X-Sentry-Auth"]
            or "sentry_version=7" not in self.headers["X-Sentry-Auth"]
        ):
            return "not authorised"
        head, item, payload, rest = body.split(b"\n")
        about, measured, event = json.loads(head), json.loads(item), json.loads(payload)
        if measured["type"] != "event" or measured["length"] != len(payload) or rest:
            return "not an event of that length"
        if about["event_id"] != event["event_id"] or len(event["event_id"]) != 32:
            return "ids differ"
        return None

    def log_message(self, *_):
        pass


@contextmanager
def serving(status=200):
    """Yields the server; `dsn` leads to it."""
    with Server(status) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
