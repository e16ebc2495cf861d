from django.urls import path
from django.views.generic import RedirectView

from coaching.views import (
    agent,
    configurations,
    conversation,
    flags,
    knowledge,
    models,
    proposals,
    queue,
    sets,
    settings,
    team,
    todo,
)


def entry_paths(prefix, kind):
    """The addresses of one kind of thing that an agent has several of."""
    named, one = {"kind": kind}, f"{prefix}/<uuid:pk>"
    return [
        path(f"{prefix}/new", knowledge.create, named, name=f"{kind}-new"),
        path(one, knowledge.entry, named, name=kind),
        path(f"{one}/edit", knowledge.edit, named, name=f"{kind}-edit"),
        path(f"{one}/remove", knowledge.remove, named, name=f"{kind}-remove"),
        path(f"{one}/restore", knowledge.restore, named, name=f"{kind}-restore"),
        path(f"{one}/bring-back", knowledge.bring_back, named, name=f"{kind}-bring-back"),
    ]


urlpatterns = [
    path("", RedirectView.as_view(pattern_name="team")),
    path("team", team.team, name="team"),
    path("team/<uuid:agent_id>", team.agent, name="team-agent"),
    path("team/<uuid:agent_id>/notes", team.write_note, name="write-note"),
    path("team/<uuid:agent_id>/flag", team.raise_by_hand, name="flag-by-hand"),
    path("flags/<uuid:flag_id>", flags.flag, name="flag"),
    path("flags/<uuid:flag_id>/ask", sets.ask_about_flag, name="flag-ask"),
    path("flags/<uuid:flag_id>/reopen", flags.reopen, name="flag-reopen"),
    path("flags/<uuid:flag_id>/coached", flags.coached, name="flag-coached"),
    path("flags/<uuid:flag_id>/cause", team.set_cause, name="flag-cause"),
    path("flags/<uuid:flag_id>/dismiss", team.dismiss, name="flag-dismiss"),
    path("todo", todo.todo, name="todo"),
    path("todo/flags/<uuid:flag_id>/done", todo.flag_done, name="todo-flag-done"),
    path("todo/flags/<uuid:flag_id>/not-done", todo.flag_not_done, name="todo-flag-not-done"),
    path("todo/flags/<uuid:flag_id>/dismiss", todo.flag_dismiss, name="todo-flag-dismiss"),
    path("todo/flags/<uuid:flag_id>/reopen", todo.flag_reopen, name="todo-flag-reopen"),
    path("todo/follow-ups/<uuid:note_id>/done", todo.follow_up_done, name="todo-follow-up-done"),
    path("todo/follow-ups/<uuid:note_id>/not-done", todo.follow_up_not_done, name="todo-follow-up-not-done"),
    path("agents/<uuid:agent_id>", agent.overview, name="agent"),
    path("agents/<uuid:agent_id>/history", agent.history, name="agent-history"),
    path("agents/<uuid:agent_id>/coaching", agent.coaching, name="agent-coaching"),
    path("agents/<uuid:agent_id>/coaching/ask", conversation.ask_agent, name="agent-ask"),
    path("agents/<uuid:agent_id>/coaching/set", sets.ask_about_filter, name="agent-set"),
    path("agents/<uuid:agent_id>/settings", agent.settings, name="agent-settings"),
    path("agents/<uuid:agent_id>/memory", knowledge.memory_list, name="agent-memory"),
    path("agents/<uuid:agent_id>/procedures", knowledge.procedure_list, name="agent-procedures"),
    *entry_paths("agents/<uuid:agent_id>/memory", "memory"),
    *entry_paths("agents/<uuid:agent_id>/procedures", "procedure"),
    path("agents/<uuid:agent_id>/prompt", knowledge.entry, {"kind": "prompt"}, name="agent-prompt"),
    path("agents/<uuid:agent_id>/prompt/edit", knowledge.edit, {"kind": "prompt"}, name="prompt-edit"),
    path(
        "agents/<uuid:agent_id>/prompt/bring-back", knowledge.bring_back, {"kind": "prompt"}, name="prompt-bring-back"
    ),
    path("agents/<uuid:agent_id>/configurations", configurations.listed, name="agent-configurations"),
    path("agents/<uuid:agent_id>/configurations/as-of", configurations.as_of, name="agent-configuration-as-of"),
    path("agents/<uuid:agent_id>/configurations/<int:number>", configurations.one, name="agent-configuration"),
    path("settings", settings.index, name="settings"),
    path("settings/flags", settings.flag_policy, name="settings-flag-policy"),
    path("settings/flags/backtest", settings.backtest, name="settings-backtest"),
    path("settings/flags/backtest/<uuid:backtest_id>/stop", settings.stop_backtest, name="settings-backtest-stop"),
    path("settings/model", models.model, name="settings-model"),
    path("settings/model/test", models.test, name="settings-model-test"),
    path("settings/model/disconnect", models.disconnect, name="settings-model-disconnect"),
    path("conversations", conversation.conversations, name="conversations"),
    path("conversations/<uuid:conversation_id>", conversation.conversation, name="conversation"),
    path("conversations/<uuid:conversation_id>/ask", conversation.ask_about, name="conversation-ask"),
    path("coach/sessions/<uuid:session_id>", conversation.session, name="coach-session"),
    path("coach/sessions/<uuid:session_id>/stream", conversation.stream, name="coach-session-stream"),
    path("coach/sessions/<uuid:session_id>/log", conversation.log, name="coach-session-log"),
    path("coach/turns/<uuid:turn_id>", conversation.turn, name="coach-turn"),
    path("coach/turns/<uuid:turn_id>/stop", conversation.stop, name="coach-turn-stop"),
    path("coach/turns/<uuid:turn_id>/retry", conversation.retry, name="coach-turn-retry"),
    path("coach/turns/<uuid:turn_id>/next", conversation.ask_next, name="coach-turn-next"),
    path("proposals", queue.queue, name="proposals"),
    path("proposals/<uuid:proposal_id>", proposals.proposal, name="proposal"),
    path("proposals/<uuid:proposal_id>/approve", proposals.approve, name="proposal-approve"),
    path("proposals/<uuid:proposal_id>/reject", proposals.reject, name="proposal-reject"),
    path("proposals/<uuid:proposal_id>/edit", proposals.edit, name="proposal-edit"),
    path("proposals/<uuid:proposal_id>/renew", proposals.renew, name="proposal-renew"),
    path("proposals/<uuid:proposal_id>/take-back", proposals.take_back, name="proposal-take-back"),
]
