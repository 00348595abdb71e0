"""One file a revision, frozen: what it makes is spelled out, for the tables of today may change."""
