"""For the whole run: one broker that all the integration tests share (fixture ``kafka_server``)."""

pytest_plugins = ["tests.servers_kafka"]
