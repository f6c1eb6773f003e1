"""The Responses API: the request builder, the fold, the delta planner, and the models over HTTP and WebSocket."""
