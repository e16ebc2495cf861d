"""What every route under /api/v1 shares: who speaks, what they may, what is refused and how, lists, answers given twice.

A route is a view on `ApiView`; it reads its body with a `StrictSerializer`, finds its rows with `visible_to`, calls one
action with `door="api"` and lets exceptions rise: `problems` turns them into problem+json.
"""

from agents.api_base.fields import (
    AgentField,
    ChoiceField,
    IdField,
    InstantField,
    PersonField,
    StrictSerializer,
    TextField,
    WholeField,
    YesNoField,
    epoch_ms,
)
from agents.api_base.filters import (
    AgentFilter,
    InstantFilter,
    StrictFilterSet,
    YesNoFilter,
    instant_parameter,
    whole_parameter,
)
from agents.api_base.paging import CursorPage
from agents.api_base.problems import Problem, flat_errors, problem_of
from agents.api_base.references import UnknownAgent, UnknownRow, find_agent
from agents.api_base.views import ApiView

__all__ = [
    "AgentField",
    "AgentFilter",
    "ApiView",
    "ChoiceField",
    "CursorPage",
    "IdField",
    "InstantField",
    "InstantFilter",
    "PersonField",
    "Problem",
    "StrictFilterSet",
    "StrictSerializer",
    "TextField",
    "UnknownAgent",
    "UnknownRow",
    "WholeField",
    "YesNoField",
    "YesNoFilter",
    "epoch_ms",
    "find_agent",
    "flat_errors",
    "instant_parameter",
    "problem_of",
    "whole_parameter",
]
