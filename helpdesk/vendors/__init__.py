"""Helpdesks that ratings and transcripts are read from: one contract, one folder a vendor.

`contract` says what every vendor can do and what it answers with, `wire` is how all of them are called, `registry` knows which
there are. In a vendor's folder `client` talks to the network and `events` reads what came: pure functions from JSON to the
contract's dataclasses.
"""
