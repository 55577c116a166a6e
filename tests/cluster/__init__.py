"""What only a cluster of PostgreSQL with Citus can show; `make test-cluster` runs it."""
