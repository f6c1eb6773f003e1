"""The vocabulary users write and the data that flows: agents, tools, settings, items, events, ports. No I/O here."""
