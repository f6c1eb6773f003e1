"""Renderers that turn events into text, and the writer that owns stdout; the only room that imports Rich."""
