"""From what was written to what subscribers hear of it: matched to topics, decided and numbered, told."""
