"""The Responses API: one request builder, one fold, the HTTP adapter."""
