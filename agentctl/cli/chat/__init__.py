"""The interactive chat: input, history and turns. The only package that imports prompt-toolkit."""
