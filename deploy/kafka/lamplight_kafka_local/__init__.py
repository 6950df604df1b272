"""Apache Kafka 4 on this machine, without root, a system Java or Maven: for `lamplight up`, the demo and the tests."""

from lamplight_kafka_local.broker import KafkaFailedError, LocalKafka
from lamplight_kafka_local.jars import JarError, fetch_jars
from lamplight_kafka_local.java import JavaNotFoundError, find_java

__all__ = ["JarError", "JavaNotFoundError", "KafkaFailedError", "LocalKafka", "fetch_jars", "find_java"]
