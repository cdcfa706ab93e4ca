"""Who is calling: keys, tokens and scopes."""
