"""Pages for people: one text with its title and what is told of it, written as plain text, XHTML or PDF."""
