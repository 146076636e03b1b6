"""The fault run: real Kafka, real Redis, real workers under load, and what may happen to them. See docs/reliability.md."""
