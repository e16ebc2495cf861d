"""A process that carries out one import: `python -m tests.flows.run_import IMPORT`."""

import sys

import django

django.setup()

from coaching.actions import imports

if __name__ == "__main__":
    imports.run(sys.argv[1])
