"""Types that users write and that runs pass around: agents, tools, settings, items, events, ports. No I/O."""
