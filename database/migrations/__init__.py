"""Revisions of the tables, oldest first; run by `database.revisions`, never by hand."""
