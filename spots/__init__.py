"""Spots: places on the ground where changes and reports come together, so that each is looked into once."""
