"""Test doubles for users: a scripted model, and cassettes that replay recorded runs, without keys and network."""

from typing import TYPE_CHECKING

from agentctl._lazy import lazy_names

if TYPE_CHECKING:
    from agentctl.cassettes.cassette import Cassette as Cassette

    from .scripted_model import (
        InvalidModelStep as InvalidModelStep,
    )
    from .scripted_model import (
        ModelCall as ModelCall,
    )
    from .scripted_model import (
        ModelScriptError as ModelScriptError,
    )
    from .scripted_model import (
        ModelStep as ModelStep,
    )
    from .scripted_model import (
        ModelStepSpec as ModelStepSpec,
    )
    from .scripted_model import (
        ScriptedModel as ScriptedModel,
    )
    from .scripted_model import (
        UnconsumedModelSteps as UnconsumedModelSteps,
    )
    from .scripted_model import (
        UnexpectedModelCall as UnexpectedModelCall,
    )
    from .wire_output import assistant_message as assistant_message
    from .wire_output import function_call as function_call

__getattr__, __dir__ = lazy_names(__name__)
