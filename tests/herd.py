"""A process that has loaded the product and is connected to nothing: others are forked from it, in milliseconds.

`python -m tests.herd FD` reads from the socket FD, which it inherits: each message is a module or a script with its arguments
and what else stands in its environment, and brings the ends of three pipes, the fork's input, its output, and where its process
id is told and then its exit status. tests/processes.py starts it and speaks with it.
"""

import importlib
import json
import os
import runpy
import signal
import socket
import sys
import traceback

import django
from django.conf import settings

MESSAGE = 65_536  # bytes at most


def main(fd):
    django.setup()
    from celery.signals import worker_init

    from config.celery import app

    app.loader.import_default_modules()
    worker_init.send(sender=None)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    asked = socket.socket(fileno=fd)
    while True:
        message, pipes, _, _ = socket.recv_fds(asked, MESSAGE, 3)
        if not message:
            return
        if os.fork() == 0:
            asked.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            wait_for_one(*json.loads(message), *pipes)
        for pipe in pipes:
            os.close(pipe)


def wait_for_one(program, arguments, environment, given, said, told):
    """Fork the process that was asked for and tell of it."""
    pid = os.fork()
    if pid == 0:
        os.close(told)
        surround(environment)
        become(program, arguments, given, said)
    os.close(given)
    os.close(said)
    os.write(told, f"{pid}\n".encode())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.write(told, f"{status}\n".encode())
    os._exit(0)


def surround(environment):
    """Have the settings that a process has which was started with `environment` besides."""
    if not environment:
        return
    os.environ |= environment
    for name in ("config.settings", os.environ["DJANGO_SETTINGS_MODULE"]):
        told = importlib.reload(importlib.import_module(name))
    for name in filter(str.isupper, dir(told)):
        if getattr(settings, name) != getattr(told, name):
            setattr(settings, name, getattr(told, name))


def become(program, arguments, given, said):
    """Go on as `python -m MODULE ARGUMENTS…` does, or `python SCRIPT ARGUMENTS…`, and end."""
    for pipe, standard in ((given, 0), (said, 1), (said, 2)):
        os.dup2(pipe, standard)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
    sys.argv = [program, *arguments]
    status = 0
    try:
        if program.endswith(".py"):
            runpy.run_path(program, run_name="__main__")
        else:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else bool(ended.code)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main(int(sys.argv[1]))
