"""May they? The access matrix, relations, grants."""
