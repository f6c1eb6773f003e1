"""Stored traces: reading, listing and removing them, and showing them as a timeline, a page or another format."""
