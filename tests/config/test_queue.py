"""The file queue of the embedded mode; a Redis that does not answer; and the clock while its queue is gone."""

import re
import resource
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from queue import Empty

import pytest
from cryptography.fernet import Fernet
from kombu import Connection
from kombu.exceptions import ChannelError
from kombu.transport import get_transport_cls

from config.queue import Transport
from tests.config.processes import wait_for
from tests.config.test_up import manage

MESSAGES = 300


@pytest.fixture
def channel(tmp_path):
    folders = dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), str(tmp_path))
    with Connection("filesystem://localhost", transport=Transport, transport_options=folders) as connection:
        yield connection.channel()


def test_reader_takes_every_message_whole_while_they_are_written(channel):
    def write():
        for number in range(MESSAGES):
            channel._put("celery", {"number": number, "body": "x" * 100_000})

    read = []
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(write)
        while len(read) < MESSAGES and not (written.done() and written.exception()):
            try:
                read.append(channel._get("celery")["number"])
            except Empty:
                continue

    assert sorted(read) == list(range(MESSAGES))


def test_message_that_is_half_written_is_none_yet(channel, tmp_path):
    (tmp_path / "1_2.celery.msg.part").write_text("")

    with pytest.raises(Empty):
        channel._get("celery")


def test_message_that_finds_no_room_leaves_nothing(channel, tmp_path):
    bounds = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, bounds[1]))
    try:
        with pytest.raises(ChannelError):
            channel._put("celery", {"body": "x" * 100_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, bounds)

    assert list(tmp_path.glob("*.msg*")) == []


def test_the_embedded_mode_uses_it(settings):
    if not settings.CELERY_BROKER_URL.startswith("filesystem:"):
        pytest.skip("The services mode has a broker.")

    assert get_transport_cls(settings.CELERY_BROKER_TRANSPORT) is Transport


SEND = """
import time
from kombu.exceptions import OperationalError
from coaching.tasks import run_turn
began = time.monotonic()
try:
    run_turn.delay("1")
except OperationalError:
    print("given up after", time.monotonic() - began)
"""


def test_redis_that_says_nothing_holds_nobody_for_long(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        child = manage("shell", "-c", SEND, data_dir=tmp_path)
        child["env"] |= {
            "REDIS_URL": f"redis://127.0.0.1:{silent.getsockname()[1]}/0",
            "SECRET_KEY": "x",
            "FIELD_KEYS": Fernet.generate_key().decode(),
        }
        said = subprocess.run(**child, capture_output=True, text=True, timeout=60).stdout

    assert float(said.splitlines()[-1].removeprefix("given up after ")) < 12


def test_clock_whose_queue_is_gone_leaves_a_line_for_each_task_and_goes_on(tmp_path):
    child = manage(data_dir=tmp_path)
    child["args"] = [sys.executable, "-m", "celery", "--quiet", "-A", "config.beat", "beat", "--loglevel", "warning"]
    messages, said = tmp_path / "queue" / "messages", tmp_path / "said"
    with said.open("w") as output, subprocess.Popen(**child, stdout=output, stderr=subprocess.STDOUT) as clock:
        try:
            wait_for(lambda: [*messages.glob("*.msg")], 60)
            shutil.rmtree(messages)
            wait_for(lambda: said.read_text().count("serve-slack") >= 2, 30)
            messages.mkdir()
            wait_for(lambda: [*messages.glob("*.msg")], 30)
        finally:
            clock.kill()

    lines = said.read_text().splitlines()
    assert all(
        re.search(r"ERROR.*Couldn't apply scheduled task [a-z-]+: Cannot add .+ to the queue$", line) for line in lines
    )
