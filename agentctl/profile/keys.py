"""The one table of setting keys: what each means, what it holds, and who may set it."""

from __future__ import annotations

from collections.abc import Iterable

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.net.endpoint import NO_KEY
from agentctl.origin import OPENAI_BASE_URL

from .dotted import Parts, join, split
from .kinds import Choice, Integer, Kind, ListOf, Plain, Table, check, describe, from_text


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingKey:
    """A row of the table."""

    name: str
    """Dotted, as files and commands spell it."""
    kind: Kind
    meaning: str
    in_project: bool = False
    """Whether a project file may set it."""
    default: JSONValue = None
    openai_env: str | None = None
    """The variable of OpenAI's own tools that is asked before the default."""

    @property
    def env(self) -> str:
        """The environment variable that sets it."""
        return "AGENTCTL_" + self.name.upper().replace(".", "_")

    @property
    def parts(self) -> Parts:
        """The name, taken apart."""
        return tuple(self.name.split("."))


_KEY_HINT = (
    f'may only be "{NO_KEY}" (send no key) or be left out; a key itself is stored with `agentctl config set-key`, '
    "never in this place"
)

_SETTINGS: tuple[tuple[str, Kind, str], ...] = (
    ("temperature", Plain.NUMBER, "How freely the model chooses its words."),
    ("top_p", Plain.NUMBER, "The share of likely words that it chooses from."),
    ("frequency_penalty", Plain.NUMBER, "How much a word's earlier uses count against it."),
    ("presence_penalty", Plain.NUMBER, "How much having been used at all counts against a word."),
    ("tool_choice", Plain.TEXT, "auto, required, none, or the name of a tool."),
    ("parallel_tool_calls", Plain.BOOLEAN, "Whether the model may call several tools at once."),
    ("truncation", Choice(("auto", "disabled")), "Whether the service may drop the beginning of a long input."),
    ("max_tokens", Integer(1), "The most tokens that an answer may have."),
    ("reasoning", Table(Plain.ANY), "How the model reasons: settings.reasoning.effort and the like."),
    ("verbosity", Choice(("low", "medium", "high")), "How long the answer should be."),
    ("metadata", Table(Plain.TEXT), "Labels that the service keeps with the response."),
    ("store", Plain.BOOLEAN, "Whether the service keeps the response."),
    ("prompt_cache_retention", Choice(("in_memory", "24h")), "How long the service keeps the prompt's cache."),
    ("include_usage", Plain.BOOLEAN, "Whether a stream reports what it used."),
    ("response_include", ListOf(Plain.TEXT), "Further parts that the response should hold."),
    ("top_logprobs", Integer(0), "How many likely words to report at each place."),
    ("extra_query", Table(Plain.ANY), "Further parameters of the request's URL."),
    ("extra_body", Table(Plain.ANY), "Further fields of the request's body."),
    ("extra_headers", Table(Plain.TEXT), "Further headers of the request; their values are secrets."),
    ("extra_args", Table(Plain.ANY), "Further fields of the request, as the API names them."),
    ("context_management", ListOf(Table(Plain.ANY)), "How the service keeps a long context short."),
    ("prompt_cache_options", Table(Plain.ANY), "How the service caches the prompt."),
    ("preserve_raw_usage", Plain.BOOLEAN, "Whether usage keeps the service's own numbers too."),
    ("timeout", Plain.DURATION, "The longest that one model call may take."),
)
_NEVER_IN_PROJECT = {"extra_query", "extra_body", "extra_headers", "extra_args"}

KEYS: tuple[SettingKey, ...] = (
    SettingKey(
        name="model",
        kind=Plain.TEXT,
        meaning="The model that answers.",
        in_project=True,
        openai_env="OPENAI_DEFAULT_MODEL",
    ),
    SettingKey(
        name="agent",
        kind=Plain.TEXT,
        meaning="The agent that runs: file.py:attr, module:attr, or a name from agentctl.toml.",
        in_project=True,
    ),
    SettingKey(
        name="max_turns", kind=Integer(1), meaning="The most model calls of a run.", in_project=True, default=10
    ),
    SettingKey(
        name="max_tokens_total",
        kind=Integer(1),
        meaning="The most tokens of a run, in and out.",
        in_project=True,
    ),
    SettingKey(name="timeout", kind=Plain.DURATION, meaning="The longest that a run may take.", in_project=True),
    SettingKey(
        name="on_approval",
        kind=Choice(("allow", "deny", "fail", "suspend")),
        meaning="What becomes of a call that needs approval where nobody can be asked: allow, deny, fail or suspend.",
        default="fail",
    ),
    SettingKey(
        name="ticket_lifetime",
        kind=Plain.DURATION,
        meaning="How long a suspended run can be gone on with.",
        default="168h",
    ),
    SettingKey(
        name="transport",
        kind=Choice(("auto", "http", "websocket")),
        meaning="How requests travel: http, websocket, or auto, which chooses for each run.",
        default="auto",
    ),
    SettingKey(
        name="api",
        kind=Choice(("responses", "chat_completions")),
        meaning="Which API the service speaks: responses or chat_completions.",
        default="responses",
    ),
    SettingKey(
        name="key_command",
        kind=Plain.COMMAND,
        meaning='A program that prints the key, and its arguments: `["op", "read", "op://vault/item/key"]`.',
    ),
    SettingKey(
        name="client.base_url",
        kind=Plain.URL,
        meaning="Where the service is.",
        default=OPENAI_BASE_URL,
        openai_env="OPENAI_BASE_URL",
    ),
    SettingKey(
        name="client.websocket_base_url",
        kind=Plain.WEBSOCKET_URL,
        meaning="Where the service takes WebSockets, where not at `client.base_url`.",
        openai_env="OPENAI_WEBSOCKET_BASE_URL",
    ),
    SettingKey(
        name="client.organization",
        kind=Plain.TEXT,
        meaning="The organization that is billed.",
        openai_env="OPENAI_ORG_ID",
    ),
    SettingKey(
        name="client.project", kind=Plain.TEXT, meaning="The project that is billed.", openai_env="OPENAI_PROJECT_ID"
    ),
    SettingKey(
        name="client.request_timeout",
        kind=Plain.DURATION,
        meaning="The longest silence of the service.",
        default=600,
    ),
    SettingKey(
        name="client.retries",
        kind=Integer(0, 10),
        meaning="How often a failed request is tried again.",
        default=2,
    ),
    SettingKey(name="client.ca_file", kind=Plain.PATH, meaning="Certificates (PEM) to trust beside the system's."),
    SettingKey(
        name="client.key",
        kind=Choice((NO_KEY,), hint=_KEY_HINT),
        meaning=f'"{NO_KEY}": the endpoint needs no key.',
    ),
    SettingKey(
        name="trace.enabled",
        kind=Plain.BOOLEAN,
        meaning="Whether runs are traced; traces go to OpenAI where it is the service, and to `trace.processors`.",
        default=True,
    ),
    SettingKey(
        name="trace.processors",
        kind=ListOf(Plain.FACTORY),
        meaning='Functions that make processors of traces: `["package.module:function"]`.',
    ),
    *(
        SettingKey(name=f"settings.{name}", kind=kind, meaning=meaning, in_project=name not in _NEVER_IN_PROJECT)
        for name, kind, meaning in _SETTINGS
    ),
)

_BY_PARTS = {key.parts: key for key in KEYS}
_TABLES = {key.parts[:1] for key in KEYS if len(key.parts) > 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """A line of the documented table of settings."""

    name: str
    env: str
    meaning: str
    default: str


def keys_table() -> list[SettingRow]:
    """Return the table as the documentation shows it; the model settings are one line."""
    rows = [
        SettingRow(name=key.name, env=key.env, meaning=key.meaning, default=_format_default(key.default))
        for key in KEYS
        if key.parts[0] != "settings"
    ]
    names = ", ".join(name for name, _, _ in _SETTINGS)
    rows.append(
        SettingRow(name="settings.NAME", env="AGENTCTL_SETTINGS_NAME", meaning=f"Model settings: {names}.", default="")
    )
    return rows


def find_setting(parts: Parts) -> SettingKey:
    """Return the key that `parts` name, or that holds what they name; raise `ValueError` with a suggestion."""
    for length in (2, 1):
        if key := _BY_PARTS.get(parts[:length]):
            return key
    name = join(parts)
    if parts[-1] in ("key", "api_key", "apikey", "token"):
        raise ValueError(f"unknown key {name!r}; `agentctl config set-key` stores a key, and nothing else does")
    raise ValueError(f"unknown key {name!r}{suggestion(name, (key.name for key in KEYS))}")


def check_entry(parts: Parts, value: JSONValue) -> SettingKey | None:
    """Return the key of a named value that may be set, or None for a table of keys that is empty.

    Raises `ValueError`, saying what is wrong.
    """
    if parts in _TABLES:
        if value == {}:
            return None
        raise ValueError(f"wants a table, with names such as {_example(parts)}")
    key = find_setting(parts)
    kind = _kind_below(key, parts)
    if kind is None:
        raise ValueError(f"{key.name} wants {describe(key.kind)}, and has nothing below it")
    check(kind, value)
    return key


def parse_name(text: str) -> Parts:
    """Return the name of a key or of a whole table of keys, taken apart; raise `ValueError` where there is none."""
    parts = split(text)
    if parts not in _TABLES:
        find_setting(parts)
    return parts


def parse_value(name: str, text: str) -> JSONValue:
    """Return the value that `text` gives to a key, checked; raise `ValueError` where it cannot."""
    parts = parse_name(name)
    kind = None if parts in _TABLES else _kind_below(find_setting(parts), parts)
    value = text if kind is None else from_text(kind, text)
    check_entry(parts, value)
    return value


def parse_assignment(text: str) -> tuple[str, JSONValue]:
    """Return key and value of a model setting given as `NAME=VALUE` (`--set`); raise `ValueError` where it is none."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"{text!r} is not NAME=VALUE, as in temperature=0.2 or reasoning.effort=high")
    full = join(("settings", *split(name.strip())))
    return full, parse_value(full, value)


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?` for the known name that is nearest, or nothing."""
    found = nearest(name, known)
    return "" if found is None else f"; did you mean {found!r}?"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like `name`, where one is."""
    from difflib import get_close_matches  # 3 ms that only a mistake costs

    return next(iter(get_close_matches(name, list(known), n=1)), None)


def _format_default(default: JSONValue) -> str:
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case _:
            return str(default)


def _example(table: Parts) -> str:
    return next(key.name for key in KEYS if key.parts[:1] == table)


def _kind_below(key: SettingKey, parts: Parts) -> Kind | None:
    """Return the kind of what `parts` name inside the key: the key's own, or that of a value in an open table."""
    match len(parts) - len(key.parts), key.kind:
        case 0, kind:
            return kind
        case 1, Table(kind):
            return kind
        case _, Table(Plain.ANY):
            return Plain.ANY
        case _:
            return None
