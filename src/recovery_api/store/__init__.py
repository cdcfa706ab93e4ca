"""The versioned store: the only home of SQLAlchemy."""
