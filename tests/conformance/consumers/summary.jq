# Prints what came of runs, by file: jq -n -f summary.jq run.jsonl …
reduce inputs as $event ({};
  (input_filename | sub(".*/"; "")) as $file
  | if $event.schema_version != 1 then error("\($file): this reads version 1, not \($event.schema_version)") else . end
  | .[$file] //= {text: "", tools: [], retries: 0, warnings: [], outcome: null, exit_code: null, tokens: null}
  | if $event.type == "text.delta" then .[$file].text += $event.delta
    elif $event.type == "tool.output" then
      .[$file].tools += ["\($event.tool): \(if $event.failed then "failed" else "ok" end)"]
    elif $event.type == "retry" then .[$file].retries += 1
    elif $event.type == "warning" then .[$file].warnings += [$event.message]
    elif $event.type == "run.finished" then
      .[$file] += ($event | {outcome, exit_code, tokens: .usage.total_tokens})
    else . end  # An event that this reader does not need, or does not know.
)
