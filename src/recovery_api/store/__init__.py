"""The versioned store: the only home of SQL. Everything in it is seen through a Visibility."""
