"""What a proposal or an import can change of an AI agent, by what it is called there: its prompt, procedures and memories."""

from agents.models import Procedure, Prompt
from memories.models import Memory

MODELS: dict[str, type[Prompt] | type[Procedure] | type[Memory]] = {
    model.KIND: model for model in (Prompt, Procedure, Memory)
}
