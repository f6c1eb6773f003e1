"""The models that an endpoint says it has."""

from __future__ import annotations

from agentctl.errors import ModelBehaviorError
from agentctl.net.endpoint import Endpoint
from agentctl.net.http import get_json
from agentctl.net.options import HttpOptions


async def model_names(endpoint: Endpoint, options: HttpOptions) -> list[str]:
    """Return the names of the endpoint's models, sorted.

    Raises:
        MissingKeyError: the endpoint has no key.
        ServiceError: the request failed; see the subclasses.
        ModelBehaviorError: the answer is no list of models.
    """
    answer = await get_json(endpoint, options, "models")
    try:
        return sorted(str(model["id"]) for model in answer["data"])
    except (KeyError, TypeError) as error:
        raise ModelBehaviorError(f"{endpoint.host} answered with something that is no list of models") from error
