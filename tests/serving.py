"""The product over real ASGI, in a thread of the tests: streams cannot be tested without."""

import socket
import threading
import time
from contextlib import contextmanager

import uvicorn

from config.asgi import application


@contextmanager
def serving(application=application):
    """Yields (host, port) of a server on the test's own database; `application` may stand before the product's."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        server = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start within 10 seconds"
            time.sleep(0.02)
        yield listener.getsockname()
        server.force_exit = server.should_exit = True
        thread.join(timeout=10)
