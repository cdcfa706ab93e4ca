"""Tables of the work of recovery, for analysis: SQL on FHIR, run by DuckDB on one machine and by Spark on many."""
