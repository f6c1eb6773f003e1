"""Items of a run, model responses and tool output, with typed views of their JSON."""
