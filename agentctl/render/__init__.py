"""Event to text or bytes, and the writer that owns stdout; the only room that knows Rich."""
