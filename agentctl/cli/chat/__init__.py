"""The conversation in the terminal: what is typed, what is remembered, and the turns; it alone knows prompt-toolkit."""
