"""A process that runs one backtest: `python -m tests.flows.run_backtest BACKTEST`."""

import sys

import django

django.setup()

from coaching.actions import backtests

if __name__ == "__main__":
    backtests.run(sys.argv[1])
