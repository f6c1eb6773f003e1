"""User configuration: TOML profiles, keys, project files and trust, resolved to `Settings`."""
