"""The table of setting keys: meaning, kind of value, and the sources that may set each key."""

from __future__ import annotations

from collections.abc import Iterable

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.net.endpoint import NO_KEY
from agentctl.origin import OPENAI_BASE_URL
from agentctl.prices.price import PARTS

from .dotted import Parts, join, split
from .kinds import Choice, Integer, Kind, ListOf, Plain, Record, Table, check, describe, parse_text


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingKey:
    """A setting: one row of the table."""

    name: str
    """The dotted name, as in files and commands."""
    kind: Kind
    meaning: str
    in_project: bool = False
    """Whether a project file may set it."""
    default: JSONValue = None
    openai_env: str | None = None
    """The OpenAI environment variable that takes precedence over the default."""

    @property
    def env(self) -> str:
        """The environment variable that sets it."""
        return "AGENTCTL_" + self.name.upper().replace(".", "_")

    @property
    def parts(self) -> Parts:
        """The parts of the name."""
        return tuple(self.name.split("."))


NO_BUDGET = "none"
"""The value of `budget` that stands for no budget."""

_KEY_HINT = (
    f'must be "{NO_KEY}" (send no key) or left out; store a key with `agentctl config set-key`, never in this setting'
)

_SETTINGS: tuple[tuple[str, Kind, str], ...] = (
    ("temperature", Plain.NUMBER, "Sampling temperature."),
    ("top_p", Plain.NUMBER, "Nucleus sampling: the probability mass of the tokens to sample from."),
    ("frequency_penalty", Plain.NUMBER, "Penalty for tokens by how often they occurred."),
    ("presence_penalty", Plain.NUMBER, "Penalty for tokens that occurred at all."),
    ("tool_choice", Plain.TEXT, "auto, required, none, or the name of a tool."),
    ("parallel_tool_calls", Plain.BOOLEAN, "Whether the model may call several tools at once."),
    ("truncation", Choice(("auto", "disabled")), "Whether the service may truncate a long input."),
    ("max_tokens", Integer(1), "Maximum number of tokens of a response."),
    ("reasoning", Table(Plain.ANY), "Reasoning options, such as settings.reasoning.effort."),
    ("verbosity", Choice(("low", "medium", "high")), "Length of the answer."),
    ("metadata", Table(Plain.TEXT), "Labels that the service stores with the response."),
    ("store", Plain.BOOLEAN, "Whether the service stores the response."),
    ("prompt_cache_retention", Choice(("in_memory", "24h")), "How long the service keeps the prompt cache."),
    ("include_usage", Plain.BOOLEAN, "Whether a streamed response includes usage."),
    ("response_include", ListOf(Plain.TEXT), "Additional parts to include in the response."),
    ("top_logprobs", Integer(0), "Number of most likely tokens to report at each position."),
    ("extra_query", Table(Plain.ANY), "Additional query parameters of the request."),
    ("extra_body", Table(Plain.ANY), "Additional fields of the request body."),
    ("extra_headers", Table(Plain.TEXT), "Additional request headers; their values are secrets."),
    ("extra_args", Table(Plain.ANY), "Additional arguments of the request, by their API names."),
    ("context_management", ListOf(Table(Plain.ANY)), "How the service shortens a long context."),
    ("prompt_cache_options", Table(Plain.ANY), "How the service caches the prompt."),
    ("preserve_raw_usage", Plain.BOOLEAN, "Whether usage also keeps the original data of the service."),
    ("timeout", Plain.DURATION, "Time limit for one model call."),
)
_NEVER_IN_PROJECT = {"extra_query", "extra_body", "extra_headers", "extra_args"}

KEYS: tuple[SettingKey, ...] = (
    SettingKey(
        name="model",
        kind=Plain.TEXT,
        meaning="The model to use.",
        in_project=True,
        openai_env="OPENAI_DEFAULT_MODEL",
    ),
    SettingKey(
        name="agent",
        kind=Plain.REFERENCE,
        meaning="The agent to run: file.py:attr, module:attr, file.toml:name, or a name from agentctl.toml.",
        in_project=True,
    ),
    SettingKey(
        name="max_turns",
        kind=Integer(1),
        meaning="Maximum number of model calls in a run.",
        in_project=True,
        default=10,
    ),
    SettingKey(
        name="max_tokens_total",
        kind=Integer(1),
        meaning="Maximum tokens of a run, input plus output.",
        in_project=True,
    ),
    SettingKey(name="max_cost", kind=Plain.AMOUNT, meaning="Maximum cost of a run in USD."),
    SettingKey(
        name="budget",
        kind=Plain.TEXT,
        meaning="The budget that model calls draw from, of `agentctl budget`; `none` is no budget.",
    ),
    SettingKey(
        name="budget_wait",
        kind=Plain.DURATION,
        meaning="How long a model call waits for others under the same budget.",
        default="30s",
    ),
    SettingKey(
        name="max_tool_calls",
        kind=Integer(1),
        meaning="Maximum tool calls in one response.",
        in_project=True,
        default=128,
    ),
    SettingKey(
        name="max_file_size",
        kind=Integer(1),
        meaning="The size limit of an attached file, in MB.",
        in_project=True,
        default=20,
    ),
    SettingKey(name="timeout", kind=Plain.DURATION, meaning="Time limit for a run.", in_project=True),
    SettingKey(
        name="on_approval",
        kind=Choice(("allow", "deny", "fail", "suspend", "read-only")),
        meaning="How to handle calls that need approval when not prompting: allow, deny, fail, suspend or read-only.",
        default="fail",
    ),
    SettingKey(
        name="ticket_lifetime",
        kind=Plain.DURATION,
        meaning="How long a suspended run can be resumed.",
        default="168h",
    ),
    SettingKey(
        name="transport",
        kind=Choice(("auto", "http", "websocket")),
        meaning="The transport of requests: http, websocket, or auto, which chooses for each run.",
        default="auto",
    ),
    SettingKey(
        name="api",
        kind=Choice(("responses", "chat_completions")),
        meaning="The API of the endpoint: responses or chat_completions.",
        default="responses",
    ),
    SettingKey(
        name="output_mode",
        kind=Choice(("auto", "native", "tool")),
        meaning="How chat completions ask for structured output: native (a response format), tool (a forced tool call) "
        "or auto, which falls back.",
        in_project=True,
        default="auto",
    ),
    SettingKey(
        name="key_command",
        kind=Plain.COMMAND,
        meaning='A program that prints the key, and its arguments: `["op", "read", "op://vault/item/key"]`.',
    ),
    SettingKey(
        name="client.base_url",
        kind=Plain.URL,
        meaning="The base URL of the endpoint.",
        default=OPENAI_BASE_URL,
        openai_env="OPENAI_BASE_URL",
    ),
    SettingKey(
        name="client.websocket_base_url",
        kind=Plain.WEBSOCKET_URL,
        meaning="The base URL for WebSockets, if it differs from `client.base_url`.",
        openai_env="OPENAI_WEBSOCKET_BASE_URL",
    ),
    SettingKey(
        name="client.organization",
        kind=Plain.TEXT,
        meaning="The organization to bill.",
        openai_env="OPENAI_ORG_ID",
    ),
    SettingKey(name="client.project", kind=Plain.TEXT, meaning="The project to bill.", openai_env="OPENAI_PROJECT_ID"),
    SettingKey(
        name="client.request_timeout",
        kind=Plain.DURATION,
        meaning="How long to wait without data.",
        default=600,
    ),
    SettingKey(
        name="client.ping_timeout",
        kind=Plain.DURATION,
        meaning="How long to wait for data after a ping over WebSocket; raise it for a service that answers no pings.",
        default=60,
    ),
    SettingKey(
        name="client.max_event_size",
        kind=Integer(1),
        meaning="The size limit of an event of a response, in MiB.",
        default=64,
    ),
    SettingKey(
        name="client.retries",
        kind=Integer(0, 10),
        meaning="Maximum number of retries of a failed request.",
        default=2,
    ),
    SettingKey(
        name="client.ca_file",
        kind=Plain.PATH,
        meaning="Certificates (PEM) to trust besides those of the system.",
    ),
    SettingKey(
        name="client.key",
        kind=Choice((NO_KEY,), hint=_KEY_HINT),
        meaning=f'"{NO_KEY}": the endpoint needs no key.',
    ),
    SettingKey(
        name="trace.enabled",
        kind=Plain.BOOLEAN,
        meaning="Whether runs are traced; traces are kept on this machine, and go to OpenAI if it serves a run and to "
        "`trace.processors`.",
        default=True,
    ),
    SettingKey(
        name="trace.keep_days",
        kind=Integer(1),
        meaning="For how many days traces are kept on this machine.",
        default=30,
    ),
    SettingKey(
        name="trace.keep_size",
        kind=Integer(1),
        meaning="The size of all traces on this machine, in MB; the oldest ones are removed.",
        default=200,
    ),
    SettingKey(
        name="trace.include_data",
        kind=Plain.BOOLEAN,
        meaning="Whether traces contain the inputs and outputs of models and tools; precedes "
        "`OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA`.",
    ),
    SettingKey(
        name="trace.otel",
        kind=Plain.BOOLEAN,
        meaning="Whether traces are exported by OTLP, as the `OTEL_*` variables say; needs the extra `otel`.",
        default=False,
    ),
    SettingKey(
        name="trace.processors",
        kind=ListOf(Plain.FACTORY),
        meaning='Functions that return trace processors: `["package.module:function"]`.',
    ),
    SettingKey(
        name="aliases",
        kind=Table(Plain.TEXT),
        meaning="Your own names of models, for `-m` and wherever a setting names one: `aliases.fast`.",
    ),
    SettingKey(
        name="prices",
        kind=Table(Record(PARTS, Plain.AMOUNT)),
        meaning="Prices of models in USD per million tokens, which precede those of genai-prices: "
        '`prices."MODEL".input`, and likewise `cached`, `written` and `output`.',
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
    """A row of the documented table of settings."""

    name: str
    env: str
    meaning: str
    default: str


_CLOSE = 0.65
"""The similarity from which a known name is suggested."""


class UnknownKeyError(ValueError):
    """A name is that of no key."""


def keys_table() -> list[SettingRow]:
    """Return the rows of the documented table; all model settings share one row."""
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
    """Return the key that `parts` name or are inside of; raise `ValueError` with a suggestion if there is none."""
    for length in (2, 1):
        if key := _BY_PARTS.get(parts[:length]):
            return key
    name = join(parts)
    if parts[-1] in ("key", "api_key", "apikey", "token"):
        raise UnknownKeyError(f"unknown key {name!r}; use `agentctl config set-key` to store an API key")
    raise UnknownKeyError(f"unknown key {name!r}{_suggest_key(parts)}")


def check_entry(parts: Parts, value: object) -> SettingKey | None:
    """Check a named value and return its key, or None for an empty table of keys.

    Raises:
        ValueError: the name or the value is invalid.
    """
    if parts in _TABLES:
        if value == {}:
            return None
        raise ValueError(f"must be a table, with names such as {_example(parts)}")
    key = find_setting(parts)
    kind = _kind_below(key, parts)
    if kind is None:
        raise ValueError(f"{key.name} must be {describe(key.kind)}, and has no nested keys")
    check(kind, value)
    return key


def parse_name(text: str) -> Parts:
    """Return the parts of the name of a key or table of keys; raise `ValueError` if it does not exist."""
    parts = split(text)
    if parts not in _TABLES:
        find_setting(parts)
    return parts


def parse_value(name: str, text: str) -> JSONValue:
    """Return `text` parsed as a value of the named key; raise `ValueError` if it is invalid."""
    parts = parse_name(name)
    kind = None if parts in _TABLES else _kind_below(find_setting(parts), parts)
    value = text if kind is None else parse_text(kind, text)
    check_entry(parts, value)
    return value


def parse_assignment(text: str) -> tuple[str, JSONValue]:
    """Return key and value of a model setting `NAME=VALUE` (`--set`); raise `ValueError` if it is invalid."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"{text!r} is not NAME=VALUE, as in temperature=0.2 or reasoning.effort=high")
    full = join(("settings", *split(name.strip())))
    return full, parse_value(full, value)


def resembles_ours(parts: Parts, also: Iterable[str] = ()) -> bool:
    """Return whether an unknown name is probably one of our keys: misspelled, in the wrong place, or an API key."""
    last = parts[-1]
    if last in ("key", "api_key", "apikey", "token"):
        return True
    siblings = [key.parts[-1] for key in KEYS if key.parts[:-1] == parts[:-1]]
    elsewhere = [part for key in KEYS for part in (*key.parts, key.name)]
    near = nearest(last, [*siblings, *also]) is not None or last in elsewhere
    is_misspelled_table = len(parts) > 1 and parts[:1] not in _TABLES and nearest(parts[0], _table_names()) is not None
    return near or is_misspelled_table


def _suggest_key(parts: Parts) -> str:
    """Return a suggestion for an unknown key: from those of its table if there is such a table, else from all."""
    siblings = {key.parts[-1]: key.name for key in KEYS if key.parts[:-1] == parts[:-1]} if len(parts) > 1 else {}
    if not siblings:
        return suggestion(join(parts), (key.name for key in KEYS))
    found = nearest(parts[-1], siblings)
    return "" if found is None else f"; did you mean {siblings[found]!r}?"


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?` with the most similar known name, or an empty string."""
    found = nearest(name, known)
    return "" if found is None else f"; did you mean {found!r}?"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most similar to `name`, or None."""
    from difflib import get_close_matches  # 3 ms, only after a mistake

    return next(iter(get_close_matches(name, list(known), n=1, cutoff=_CLOSE)), None)


def _format_default(default: JSONValue) -> str:
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case _:
            return str(default)


def _table_names() -> list[str]:
    return [name for (name,) in _TABLES]


def _example(table: Parts) -> str:
    return next(key.name for key in KEYS if key.parts[:1] == table)


def _kind_below(key: SettingKey, parts: Parts) -> Kind | None:
    """Return the kind of the value that `parts` name: that of the key, or of a value in an open table; else None."""
    match len(parts) - len(key.parts), key.kind:
        case 0, kind:
            return kind
        case 1, Table(kind):
            return kind
        case 2, Table(Record(names, kind)) if parts[-1] in names:
            return kind
        case _, Table(Plain.ANY):
            return Plain.ANY
        case _:
            return None
