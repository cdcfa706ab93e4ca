"""The demo world: made for any moment, and a few realistic patients."""
