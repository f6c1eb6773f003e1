"""The way in: decides about the calls of a job; what that takes is imported once there is such a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl.errors import AgentsException

from .wishes import Case

if TYPE_CHECKING:
    from agentctl.run.state import RunState

    from .approver import Approver


class Decide:
    """Approves or rejects all calls that wait, or says why the run ends."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._approver: Approver | None = None

    async def __call__(self, state: RunState) -> AgentsException | None:
        """Take the decisions on the state; return why the run ends, None where it goes on."""
        if self._approver is None:
            # 20 ms that only a run that waits pays.
            from .deciding import approver_of

            self._approver = approver_of(self._case)
        return await self._approver(state)
