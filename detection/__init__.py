"""Detection: from a pair of scenes to polygons of what changed between them."""
