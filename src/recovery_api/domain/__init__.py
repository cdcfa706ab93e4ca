"""What recovery work means: pure rules and life cycles."""
