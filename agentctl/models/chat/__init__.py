"""Chat completions: items to messages, chunks to Responses events, and the HTTP adapter."""
