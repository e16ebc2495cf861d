"""Settings of a process that a test starts: the product's own, pointed at the test's database."""

import os

from config.settings import *  # noqa: F403 (all of them)
from config.settings import DATABASES

DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
