// Prints what came of runs, by file: node summary.mjs run.jsonl …
import { readFileSync } from "node:fs";
import { basename } from "node:path";

const runs = {};
for (const path of process.argv.slice(2)) {
  const run = { text: "", tools: [], retries: 0, warnings: [], outcome: null, exit_code: null, tokens: null };
  for (const line of readFileSync(path, "utf8").split("\n").filter(Boolean)) {
    const event = JSON.parse(line);
    if (event.schema_version !== 1) throw new Error(`${path}: this reads version 1, not ${event.schema_version}`);
    switch (event.type) {
      case "text.delta":
        run.text += event.delta;
        break;
      case "tool.output":
        run.tools.push(`${event.tool}: ${event.failed ? "failed" : "ok"}`);
        break;
      case "retry":
        run.retries += 1;
        break;
      case "warning":
        run.warnings.push(event.message);
        break;
      case "run.finished":
        run.outcome = event.outcome;
        run.exit_code = event.exit_code;
        run.tokens = event.usage.total_tokens;
        break;
      default: // An event that this reader does not need, or does not know.
    }
  }
  runs[basename(path)] = run;
}
console.log(JSON.stringify(runs));
