"""Imagery: what was photographed, when, by which sensor, and how to read a window of it."""
