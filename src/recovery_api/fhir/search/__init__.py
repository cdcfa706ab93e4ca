"""Search: parameters, queries lowered to expressions, index rows, and their meaning in memory."""
