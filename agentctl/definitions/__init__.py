"""Text to Agent: the references of the command line, loaded."""
