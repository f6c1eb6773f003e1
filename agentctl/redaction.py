"""The registry of secrets: messages pass through `redact`, data through `redact_data`.

Masking protects what people read and what is stored; it never changes what a model or a tool is given.
"""

import json
import re
import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from agentctl.agent.wire import JSONValue

MASK = "[redacted]"
SHORTEST = 4
"""Shorter values are not registered: replacing them would damage ordinary text and hide nothing."""
LONG = 16
"""Values of this length look like secrets; shorter ones only if they have the form of a key."""

_SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
"""Words in the names of environment variables with secrets; the values of others are secrets if they look like one."""

_TELLING = 8
"""More characters than these of a secret's beginning are not shown."""

_LONGEST_READ = 65_536
"""The number of characters of a masked foreign text that an excerpt considers."""

_LIKE_A_KEY = r"(?<![\w-])sk-[\w-]{6,}"
_KEY_FORM = (
    r"(sk|pk|rk|gsk|hf|xai|ghp|gho|ghu|ghs|ghr|github_pat|glpat|xox[a-z]|pplx|nvapi|r8|csk|tvly|fw|npm|pypi)"
    r"[-_][\w-]{6,}|(AKIA|ASIA|AIza|ya29\.|eyJ)[\w.-]{8,}"
)
"""The forms of keys that a short value may have."""

_PLACEHOLDER_WORDS = (
    " test testing tests ollama empty none null nil undefined na no not non dummy fake mock placeholder example sample "
    "demo default unused ignored required needed necessary key keys apikey apikeys api token your my the here any "
    "anything some something insert replace change changeme me lm studio lmstudio llama cpp llamacpp local localhost "
    "localai vllm sglang litellm openai ai sk user public anonymous free todo 1 12 123 1234 12345 123456 "
)
"""Words of which placeholder keys consist: clients are given one for a service that needs no key."""

_WORD_START = r"(?:(?<![{}])|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{{4}})|(?<=%[0-9a-fA-F]{{2}})|(?<=\dm)|(?<=\[m))"
"""The start of a word, which may also follow an escape of JSON, of a URL or of a terminal."""

_IDS = frozenset(
    {
        "approval_request_id",
        "call_id",
        "conversation_id",
        "id",
        "item_id",
        "previous_response_id",
        "request_id",
        "response_id",
    }
)
"""Fields of data with the id of an item, a call, a request, a response or a conversation."""

_lock = threading.Lock()
_secrets: "tuple[_Secret, ...]" = ()
_registered: set[str] = set()
_shared: set[str] = set()
"""The registered secrets that the user gave to programs and servers, which further ones may be given."""


class _Secret:
    """One form of a secret."""

    __slots__ = ("is_plain", "looks_secret", "pattern", "text")

    def __init__(self, text: str, *, looks_secret: bool) -> None:
        self.text = text
        self.is_plain = text.isascii() and text.isprintable() and not {'"', "\\"} & set(text)
        self.looks_secret = looks_secret
        self.pattern = f"{_border(text[0], _WORD_START)}{re.escape(text)}{_border(text[-1], '(?![{}])')}"

    def mask_words(self, text: str) -> str:
        """Return a text in which the secret is masked where it is a word of its own."""
        return re.sub(self.pattern, MASK, text) if self.text in text else text


def _border(character: str, pattern: str) -> str:
    """Return the pattern of a word's border; ASCII and other letters, which may need no space, border each other."""
    if not character.isalnum():
        return ""
    return pattern.format("0-9A-Za-z") if character.isascii() else pattern.replace("[{}]", r"[^\W_]").format()


def register_secret(value: str | None, *, is_shared: bool = False) -> None:
    """Register `value`, in plain, JSON- and URL-encoded form, as a secret; a placeholder is none.

    `is_shared`: the user gave it to a program or a server, and it is no key of agentctl, as far as is known.
    """
    global _secrets
    if value is None:
        return
    if not is_shared:
        _shared.discard(value)
    if value in _registered or len(value.strip()) < SHORTEST or is_placeholder(value):
        return
    forms = {
        value,
        value.strip(),
        quote(value, safe=""),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        value.encode("unicode_escape").decode(),
    }
    is_long = looks_secret(value)
    with _lock:
        known = {secret.text: secret for secret in _secrets}
        known |= {form: _Secret(form, looks_secret=is_long) for form in forms}
        _secrets = tuple(sorted(known.values(), key=lambda secret: len(secret.text), reverse=True))
        _registered.add(value)
        if is_shared:
            _shared.add(value)


def register_variable(name: str, value: str) -> None:
    """Register a variable that the user gives to a child process, if its name or value is that of a secret."""
    if looks_secret(value) or any(word in name.upper() for word in _SECRET_WORDS):
        register_secret(value, is_shared=True)


def is_placeholder(value: str) -> bool:
    """Return whether a key only fills a place, such as `test`, `EMPTY` or `sk-no-key-required`."""
    words = re.findall(r"[^\W_]+", value.casefold())
    return all(f" {word} " in _PLACEHOLDER_WORDS or set(word) == {"x"} for word in words)


def looks_secret(value: str) -> bool:
    """Return whether a registered value is masked in data: it is long, or has the form of a key."""
    return len(value.strip()) >= LONG or has_key_form(value)


def has_key_form(value: str) -> bool:
    """Return whether a value has the form of a key of a known service."""
    return re.fullmatch(_KEY_FORM, value.strip()) is not None


def redact(text: str) -> str:
    """Return a message with every registered secret replaced by `MASK`; a short one is replaced as a word."""
    for secret in _secrets:
        if secret.text in text:
            text = text.replace(secret.text, MASK) if secret.looks_secret else secret.mask_words(text)
    return text


def redact_text(text: str) -> str:
    """Return a text of a user, a model or a tool with each word that is a secret and looks like one masked."""
    for secret in _secrets:
        if secret.looks_secret:
            text = secret.mask_words(text)
    return text


def redact_data(
    value: "JSONValue", mask: Callable[[str], str] = redact_text, *, unchanged: AbstractSet[str] = frozenset()
) -> "JSONValue":
    """Return JSON data with its texts masked, before they are encoded; fields in `unchanged` keep their values.

    Ids stay ids: each is masked as a whole, and the same one always in the same way.
    """
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {
            mask(str(name)): kept
            if name in unchanged
            else redact_id(kept)
            if name in _IDS and isinstance(kept, str)
            else redact_data(kept, mask, unchanged=unchanged)
            for name, kept in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact_data(kept, mask, unchanged=unchanged) for kept in value]
    return value


def may_have_secret(document: str) -> bool:
    """Return whether a JSON text may contain a registered secret, however often its texts are encoded.

    It is quicker than masking what contains none; a secret that JSON escapes is always possible.
    """
    return any(secret.text in document or not secret.is_plain for secret in _secrets)


def is_secret(value: str) -> bool:
    """Return whether a value is a registered secret, whatever it looks like, or contains one that looks secret.

    One that the user gave to a program or a server is none: another one may be given it too.
    """
    return value not in _shared and (value in _registered or redact_text(value) != value)


def redact_id(text: str) -> str:
    """Return the id of an item, a call or a response; one with a secret is replaced, always by the same new id."""
    if redact(text) == text:
        return text
    import hashlib  # 3 ms, only for an id with a secret.

    return f"redacted_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def begun_secret(text: str) -> int:
    """Return the length of the end of a text that may be the beginning of a secret: 0 if there is none."""
    longest = 0
    for secret in _secrets:
        start = max(0, len(text) - len(secret.text) + 1)
        while (start := text.find(secret.text[0], start)) >= 0:
            if secret.text.startswith(text[start:]):
                longest = max(longest, len(text) - start)
                break
            start += 1
    return longest


class RedactedStream:
    """A text that arrives in parts: a secret split over two of them is masked too."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """Return what can be shown after another part: all but the beginning of a possible secret."""
        text = redact(self._held + text)
        shown = len(text) - begun_secret(text)
        self._held = text[shown:]
        return text[:shown]

    def close(self) -> str:
        """Return the rest; most of a secret is masked like all of it."""
        rest, self._held = self._held, ""
        return rest if len(rest) <= _TELLING else MASK


def redact_keys(text: str) -> str:
    """Return user input with everything that looks like a key replaced: it may be one, in the wrong place."""
    return re.sub(_LIKE_A_KEY, f"sk-{MASK}", text)


def excerpt(text: str, limit: int = 200) -> str:
    """Return the beginning of a foreign text, fit for a message: one line, printable, redacted."""
    visible = "".join(c if c.isprintable() else " " for c in redact(text)[:_LONGEST_READ])
    line = " ".join(visible.split())
    return line if len(line) <= limit else f"{line[:limit]}…"
