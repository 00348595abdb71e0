"""Evidence: files that prove a case, kept under their hash, checked when given, handed on in a bundle that replays."""
