"""What the user decided: the TOML profile, secrets, trust, and their resolution to Settings."""
