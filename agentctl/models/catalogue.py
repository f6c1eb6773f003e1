"""The list of models that an endpoint offers."""

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
        ModelBehaviorError: the response is not a list of models.
    """
    response = await get_json(endpoint, options, "models")
    try:
        return sorted(str(model["id"]) for model in response["data"])
    except (KeyError, TypeError) as error:
        raise ModelBehaviorError(f"{endpoint.host} sent a response that is not a list of models") from error
