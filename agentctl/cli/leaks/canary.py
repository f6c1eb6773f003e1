"""Canaries: secrets that are worth nothing, each for one place that a secret can come from."""

from __future__ import annotations

import base64
import secrets
from functools import cached_property

from agentctl._dataclass import dataclass

_LETTERS = 16
"""Bytes of a canary that are searched for together: half of it is a leak too."""


@dataclass(frozen=True)
class Canary:
    """A secret, and the place it is planted in."""

    place: str
    """The place, for users."""
    value: str
    is_sent: bool = True
    """Whether a request has it in a header; other canaries are in a place where a secret is refused."""

    @classmethod
    def plant(cls, place: str, *, is_sent: bool = True) -> Canary:
        """Return a new canary for a place; no other one has any part of it."""
        return cls(place, f"sk-{secrets.token_hex(_LETTERS)}", is_sent)

    @cached_property
    def _forms(self) -> tuple[bytes, ...]:
        """Texts of which none is in data without the canary: its halves, plain and in common encodings."""
        letters = self.value.removeprefix("sk-")
        halves = [letters[:_LETTERS].encode(), letters[_LETTERS:].encode()]
        # What base64 makes of a text depends on where it begins, and at both ends on what surrounds it.
        in_base64 = [base64.b64encode(b" " * shift + half)[4:-4] for half in halves for shift in range(3)]
        in_utf16 = [half.decode().encode("utf-16-le") for half in halves]
        return (*halves, *in_base64, *in_utf16, *(half.hex().encode() for half in halves))

    def is_in(self, data: bytes) -> bool:
        """Return whether data contain the canary or a half of it."""
        return any(form in data for form in self._forms)
