"""A process that waits for the word and then does one thing: `python -m tests.flows.ask_at_once WHAT MEMBER [HOW]`."""

import sys

import django

django.setup()

from agents.models import Member
from coaching.actions import backtests, connections, policies
from coaching.actions.slack import triggers
from coaching.models import SlackConnection
from coaching.slack import install


def main(what, member_id, *how):
    member = Member.objects.select_related("workspace", "user").get(pk=member_id)
    print("ready", flush=True)
    sys.stdin.readline()
    if what == "choose":
        policies.choose(member.workspace, by=member, sensitivity=how[0], automatic=True)
        print("chosen")
    elif what == "connect":
        try:
            chosen = {
                "key": "sk-test-0123456789",
                "base_url": "",
                "model": how[0],
                "effort": "",
                "version": int(how[1]),
            }
            connections.connect(member.workspace, by=member, **chosen)
        except connections.ChangedMeanwhile:
            print("meanwhile")
        else:
            print("connected")
    elif what == "listen":
        connection = SlackConnection.objects.get(workspace=member.workspace)
        agent = member.workspace.agents.get(pk=how[0])
        try:
            triggers.add(connection, channel_id="C0000001", agent=agent, by=member)
        except triggers.ChannelTaken:
            print("taken")
        else:
            print("listens")
    elif what == "come back":
        print(install.StateStore(member).consume(how[0]))
    else:
        print(backtests.ask(member.workspace, by=member).pk)


if __name__ == "__main__":
    main(*sys.argv[1:])
