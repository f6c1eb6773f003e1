"""The composition root: the only room that combines settings, agent definitions and the engine."""
