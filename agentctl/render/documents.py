"""The schemas of the documents that commands print with `--json`, by command."""

from __future__ import annotations

from .schema_fields import (
    Fields,
    amount,
    any_object,
    any_value,
    array,
    count,
    flag,
    item,
    nullable,
    object_of,
    open_enum,
    reference,
    text,
    text_or_null,
    texts,
    time,
)

PROGRESS: Fields = {
    "batch": text("The name of the batch."),
    "total": count("The number of its rows."),
    "done": count("Rows that are done."),
    "failed": count("Rows that failed."),
    "waiting": count("Rows that wait for approval."),
    "cancelled": count("Rows that were cancelled."),
    "running": count("Rows that are run now."),
    "queued": count("Rows that wait for their turn."),
    "tokens": count("Tokens of all rows."),
    "cost_usd": nullable(amount("The cost in USD; null if it is not known.")),
}
"""The progress of a batch."""

_ITEMS = array(any_object("An item."), "The items of the conversation, as the Responses API takes them.")
_TICKET: Fields = {
    "id": text("The id of the ticket."),
    "state": open_enum(["open", "used", "expired"], "Whether its run can still be resumed."),
    "created_at": time("When the run was suspended."),
    "expires_at": time("When the ticket can no longer be used."),
    "reference": text_or_null("The reference of the agent; null for the plain assistant."),
    "session_id": text_or_null("The session of the run."),
    "calls": array(
        object_of(
            {
                "agent": text("The name of the agent."),
                "tool": text("The name of the tool."),
                "call_id": text("The id of the call."),
                "item": item("The call."),
                "server?": text("The MCP server of the tool; absent for other tools."),
                "decision": nullable(
                    object_of(
                        {
                            "approved": flag("Whether the call was approved."),
                            "always": flag("Whether that goes for all further calls of the tool in this run."),
                            "message": text_or_null("The output of a denied call; null for the default one."),
                        },
                        "The decision; null if there is none yet.",
                    )
                ),
            }
        ),
        "The calls that need approval.",
    ),
}
_AGENT_TOOL = any_object("A tool as the model sees it, with `needs_approval` or `needs_approval_function`.")
_VALUES: Fields = {
    "type": "object",
    "additionalProperties": object_of(
        {"value": any_value("The value; null if it is not set."), "origin": text_or_null("The source of the value.")}
    ),
    "description": "The settings, by name.",
}
_SETTING: Fields = {
    "key": text("The name of the setting."),
    "value": any_value("The value; null if it is not set."),
    "origin": text_or_null("The source of the value."),
}
_BUDGET: Fields = {
    "name": text("The name of the budget."),
    "per": nullable(open_enum(["day", "week", "month"], "The interval at which it renews; null if it does not.")),
    "renews_at": nullable(time("When it renews; null if it does not.")),
    **{
        unit: object_of(
            {
                "limit": nullable(number("The limit; null means no limit.")),
                "spent": number("What was spent."),
                "reserved": number("What is reserved for calls under way."),
                "left": nullable(number("What is left; null without a limit.")),
            },
            description,
        )
        for unit, number, description in (("usd", amount, "The money, in USD."), ("tokens", count, "The tokens."))
    },
}
_BATCH: Fields = {
    **PROGRESS,
    "created_at": time("When it began."),
    "reference": text("The reference of the agent."),
    "input": text("The input, such as the name of a file."),
    "is_cancelled": flag("Whether it was cancelled."),
}
_EXIT: Fields = {
    "exit_code": count("The exit code."),
    "outcome": text("The outcome."),
    "meaning": text("What it means."),
    "remedy": text("What to do."),
}
_STARTED_AT, _ENDED_AT = (
    time("When it began."),
    nullable(time("When it ended; null if it has not, as far as is known.")),
)
_COST = nullable(amount("The cost in USD at the prices of today; null if it is not known."))
_COST_BASIS = text_or_null("The source of the prices, or the reason why the cost is not known.")
_SPAN: Fields = {
    "id": text("The id of the span."),
    "parent_id": text_or_null("The span around it."),
    "kind": text("What was done, such as a model call."),
    "name": text("Its name, such as that of the tool."),
    "started_at": _STARTED_AT,
    "ended_at": _ENDED_AT,
    "data": any_object("The data of the span, by its kind."),
    "details": any_object("Further data that agentctl records."),
    "error": nullable(any_object("The error; null if there was none.")),
    "cost_usd?": _COST,
    "cost_basis?": _COST_BASIS,
}
_LEAK_ROW: Fields = {
    "name": text("The name of the place or sink."),
    "state": open_enum(["ok", "leak", "failed", "skipped"], "The result."),
    "detail": text("What was found, or why it was skipped."),
}
_REFERENCE = text("The reference of the agent.")
_MODEL = text_or_null("The agent's own model; null if it has none.")

_CASE_RESULT: Fields = {
    "name": text("The name of the case."),
    "file": text("The file that has it."),
    "line": count("Its line in the file."),
    "passed": flag("Whether it met its expectations."),
    "outcome": text("The outcome of its run."),
    "final_output": any_value("The final output; null if there is none."),
    "unmet": array(
        object_of(
            {
                "what": text("The expectation."),
                "expected": text("The expected value."),
                "got": text("The value of the run."),
            }
        ),
        "The expectations that were not met.",
    ),
    "timeline": texts("The steps of the run."),
    "turns": count("Model calls."),
    "tokens": count("Tokens of all turns."),
    "cost_usd": _COST,
    "seconds": amount("The time that it took."),
    "attempts": count("The number of runs."),
    "passes": count("The number of runs that met the expectations."),
    "cassette": text("The file of its cassette."),
}

DOCUMENTS: dict[str, tuple[str, Fields]] = {
    "run --dry-run": (
        "The request that a run would send.",
        {"request": any_object("The body, and the URL if there is one.")},
    ),
    "agents list": (
        "The agents of the project, or those of a file.",
        {
            "project?": text("The project file; absent for a file of code."),
            "trusted?": flag("Whether the code of the project may run."),
            "default?": text_or_null("The default agent of the project."),
            "agents": array(
                object_of(
                    {
                        "name": text("The name of the agent."),
                        "reference": _REFERENCE,
                        "model?": _MODEL,
                        "tools?": texts("The names of its tools; absent for a project, whose code is not imported."),
                    }
                ),
                "The agents.",
            ),
        },
    ),
    "agents show": (
        "An agent.",
        {
            "reference": text_or_null("The reference of the agent; null for the plain assistant."),
            "name": text("The name of the agent."),
            "instructions": text_or_null("The instructions; null if there are none, or a function makes them."),
            "instructions_function": text_or_null("The function that makes the instructions."),
            "model": _MODEL,
            "model_settings": any_object("The settings of the model that the agent sets."),
            "tools": array(_AGENT_TOOL, "The tools."),
            "mcp_servers": texts("The names of the MCP servers, which are not started."),
            "handoffs": array(any_object("A handoff as the model sees it, with its `agent`."), "The handoffs."),
            "guardrails": array(
                object_of(
                    {
                        "stage": open_enum(["input", "output"], "What it checks."),
                        "name": text("The name of the guardrail."),
                    }
                ),
                "The guardrails of the agent.",
            ),
            "output_type": nullable(
                object_of(
                    {
                        "name": text("The name of the type."),
                        "strict": flag("Whether the service enforces the schema."),
                        "schema": any_object("Its JSON Schema."),
                    },
                    "The output type; null for text.",
                )
            ),
            "values?": any_object(
                "The values that runs of an agent in TOML use, each with `value` and `origin`, by name."
            ),
        },
    ),
    "agents check": (
        "What is wrong with agents.",
        {
            "agents": array(
                object_of(
                    {
                        "reference": _REFERENCE,
                        "name": text_or_null("The name of the agent; null if it cannot be loaded."),
                        "tools": array(_AGENT_TOOL, "The tools."),
                        "problems": array(
                            object_of(
                                {
                                    "state": open_enum(["warning", "failure"], "Whether a run would fail."),
                                    "message": text("The problem."),
                                }
                            ),
                            "The problems.",
                        ),
                    }
                ),
                "The agents.",
            )
        },
    ),
    "approvals list": ("The suspended runs.", {"tickets": array(object_of(_TICKET), "The tickets.")}),
    **{f"approvals {name}": ("A suspended run.", _TICKET) for name in ("show", "approve", "deny")},
    "batch list": ("The batches of a store, oldest first.", {"batches": array(object_of(_BATCH), "The batches.")}),
    "batch show": (
        "A batch.",
        {**_BATCH, "rows?": array(reference("row", "A row."), "The rows that failed or wait, as they were asked for.")},
    ),
    "budget list": ("The budgets.", {"budgets": array(object_of(_BUDGET), "The budgets.")}),
    "budget show": ("A budget.", _BUDGET),
    "chat /save": ("A conversation, saved to a .json file.", {"items": _ITEMS}),
    "config path": (
        "Where files are; null where there is no home folder.",
        {
            "profile": text("The name of the current profile."),
            "config": text_or_null("The file of profiles."),
            "credentials": text_or_null("The file of keys."),
            "trust": text_or_null("The file of what is trusted."),
            "data": text_or_null("The folder of weights."),
            "state": text_or_null("The folder of sessions, tickets, traces and budgets."),
        },
    ),
    "config show": (
        "The current settings; of the fields, a part of them has `values` alone.",
        {
            "profile?": text("The name of the current profile."),
            "profile_origin?": text("What chose it."),
            "path?": text_or_null("The file of profiles."),
            "project?": text_or_null("The project file."),
            "values": _VALUES,
            "api_key?": object_of(
                {
                    "present": flag("Whether there is a key."),
                    "endpoint": text("The origin of the endpoint that it is for."),
                    "origin": text_or_null("The source of the key."),
                    "use_for_tracing": flag("Whether traces are sent with it."),
                },
                "The key of the endpoint.",
            ),
            "tracing_key?": object_of(
                {"present": flag("Whether there is a key."), "origin": text_or_null("The source of the key.")},
                "The key for traces.",
            ),
            "problems?": texts("Settings that are wrong, and fail a run."),
        },
    ),
    "config client": ("The settings of the connection.", {"values": _VALUES}),
    **{f"config {name}": ("A setting.", _SETTING) for name in ("get", "model", "transport", "api")},
    "config profiles list": (
        "The profiles.",
        {
            "path": text_or_null("The file of profiles."),
            "profiles": array(
                object_of(
                    {
                        "name": text("The name of the profile."),
                        "in_use": flag("Whether it is the current one."),
                        "keys": texts("What it has keys for."),
                    }
                ),
                "The profiles.",
            ),
        },
    ),
    "doctor": (
        "The results of checks.",
        {
            "exit_code": count("The exit code of the command."),
            "checks": array(
                object_of(
                    {
                        "check": text("What was checked."),
                        "state": open_enum(["ok", "warning", "failure"], "The result."),
                        "message": text("What was found."),
                        "remedy": text_or_null("What to do; null if there is nothing."),
                    }
                ),
                "The checks, in their order.",
            ),
        },
    ),
    "doctor --leak-test": (
        "The result of the leak test.",
        {
            "exit_code": count("The exit code of the command."),
            "places": array(object_of(_LEAK_ROW), "The places that a secret came from."),
            "sinks": array(object_of(_LEAK_ROW), "What was searched for the secrets."),
            "leaks": texts("The leaks."),
            "problems": texts("What could not be tested."),
        },
    ),
    "explain-exit": (
        "An exit code, or with `exits` all of them.",
        {
            **{f"{name}?": schema for name, schema in _EXIT.items()},
            "exits?": array(object_of(_EXIT), "The exit codes."),
        },
    ),
    "models list": (
        "The models.",
        {
            "models": array(
                object_of(
                    {
                        "name": text("The name of the local model."),
                        "bytes": count("The size of its weights."),
                        "state": open_enum(["missing", "damaged", "ready"], "The state of its weights."),
                        "path": text_or_null("The file of its weights; null if they are missing."),
                    }
                ),
                "The local models.",
            ),
            "endpoint_models": texts("The names of the models of the endpoint."),
        },
    ),
    "sessions list": (
        "The sessions, most recently updated first.",
        {
            "sessions": array(
                object_of(
                    {
                        "id": text("The id of the session."),
                        "created_at": time("When it began."),
                        "updated_at": time("When it was last added to."),
                        "item_count": count("The number of its items."),
                    }
                ),
                "The sessions.",
            )
        },
    ),
    "sessions show": ("A session.", {"id": text("The id of the session."), "items": _ITEMS}),
    "trace list": (
        "The traces, most recent first.",
        {
            "traces": array(
                object_of(
                    {
                        "id": text("The id of the trace."),
                        "started_at": _STARTED_AT,
                        "seconds": nullable(amount("How long it took; null if it has not ended.")),
                        "agent": text_or_null("The agent of the run."),
                        "outcome": text_or_null("The way the run ended; null if it has not."),
                        "session_id": text_or_null("The session of the run."),
                        "span_count": nullable(count("The number of its spans.")),
                        "input_tokens": nullable(count("Tokens of the input.")),
                        "output_tokens": nullable(count("Tokens of the output.")),
                    }
                ),
                "The traces.",
            )
        },
    ),
    "trace show": (
        "A trace.",
        {
            "id": text("The id of the trace."),
            "name": text("The name of the workflow."),
            "group_id": text_or_null("The group that it belongs to."),
            "metadata": nullable(any_object("The metadata that code added; null if there is none.")),
            "started_at": _STARTED_AT,
            "ended_at": _ENDED_AT,
            "outcome": text_or_null("The way the run ended; null if it has not."),
            "agent": text_or_null("The agent of the run."),
            "session_id": text_or_null("The session of the run."),
            "usage": reference("trace-usage", "The tokens of its model calls."),
            "cost_usd": _COST,
            "cost_basis": _COST_BASIS,
            "spans": array(object_of(_SPAN), "The spans, in the order of the tree."),
        },
    ),
    "trace status": (
        "Where traces go.",
        {
            "enabled": flag("Whether runs are traced."),
            "decided_by": text("What decided that."),
            "export": object_of(
                {
                    "to": text_or_null("The URL that traces are sent to; null if they are not."),
                    "key_from": text_or_null("The source of the key."),
                    "why_not": text_or_null("Why they are not sent."),
                },
                "The export to OpenAI.",
            ),
            "otlp_to": text_or_null("The endpoint of OpenTelemetry that traces are sent to."),
            "kept_in": text_or_null("The folder of the traces on this machine."),
            "processors": texts("The functions that create processors."),
        },
    ),
    "trace processors list": (
        "The processors of traces.",
        {
            "processors": texts("The functions that create processors."),
            "origin": text_or_null("The source of the setting."),
        },
    ),
    "trust": (
        "What was trusted, with `--revoke` what no longer is, or with `--list` all projects.",
        {
            "project?": text("The project file."),
            "digest?": text("The digest of what is trusted."),
            "agents?": any_object("The references of the agents, by name."),
            "variables?": array(
                object_of(
                    {
                        "name": text("The variable."),
                        "target": text("The origin of a URL, or the program, that gets its value."),
                    }
                ),
                "The variables of the environment that the agents send.",
            ),
            "files?": texts("The trusted files."),
            "revoked?": flag("Whether it was trusted before."),
            "projects?": array(
                object_of(
                    {
                        "project": text("The project file."),
                        "state": open_enum(["trusted", "changed"], "Whether its code may run."),
                    }
                ),
                "The projects.",
            ),
        },
    ),
    "test": (
        "The results of test cases.",
        {
            "outcome": text("`completed`, or `failed` if a case failed."),
            "exit_code": count("The exit code."),
            "passed": count("Cases that passed."),
            "failed": count("Cases that failed."),
            "cases": array(object_of(_CASE_RESULT), "The cases, in their order."),
        },
    ),
}
"""Command -> (description, fields besides `schema_version`)."""
