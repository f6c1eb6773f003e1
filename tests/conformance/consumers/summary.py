"""Prints what came of runs, by file: a reader of version 1 that needs nothing but the standard library."""

import json
import sys
from pathlib import Path

runs = {}
for path in map(Path, sys.argv[1:]):
    run = {"text": "", "tools": [], "retries": 0, "warnings": [], "outcome": None, "exit_code": None, "tokens": None}
    for line in path.read_text("utf-8").splitlines():
        event = json.loads(line)
        if event["schema_version"] != 1:
            sys.exit(f"{path}: this reads version 1, not {event['schema_version']}")
        match event["type"]:
            case "text.delta":
                run["text"] += event["delta"]
            case "tool.output":
                run["tools"].append(f"{event['tool']}: {'failed' if event['failed'] else 'ok'}")
            case "retry":
                run["retries"] += 1
            case "warning":
                run["warnings"].append(event["message"])
            case "run.finished":
                run.update(outcome=event["outcome"], exit_code=event["exit_code"])
                run["tokens"] = event["usage"]["total_tokens"]
            case _:
                pass  # An event that this reader does not need, or does not know.
    runs[path.name] = run
print(json.dumps(runs))
