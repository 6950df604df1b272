"""`lamplight up`."""

from __future__ import annotations

from pathlib import Path

import click

from lamplight_cli.commands import options


@click.command(name="up")
@options.file("--cameras", "cameras.yaml to apply once ingest is ready.")
@options.file("--rules", "rules.yaml to apply once alert is ready.")
@options.file("--destinations", "destinations.yaml to apply once alert is ready.")
@click.option(
    "--for", "for_s", type=click.FloatRange(min=0), metavar="SECONDS", help="End by itself, so long after ready."
)
@options.data
@click.option("--kafka", envvar="LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS", default="", help="Use this Kafka, host:port.")
@click.option("--milvus", envvar="LAMPLIGHT_MILVUS_URI", default="", help="Use this Milvus, http://host:port.")
@click.option(
    "--namespace", envvar="LAMPLIGHT_NAMESPACE", default="lamplight", show_default=True, help="Prefix of topics."
)
def command(  # noqa: PLR0917 - an option each, by name
    cameras: Path | None,
    rules: Path | None,
    destinations: Path | None,
    for_s: float | None,
    data: Path,
    kafka: str,
    milvus: str,
    namespace: str,
) -> int:
    """Run the whole system on this machine until Ctrl-C: Kafka, Milvus, every service, the page."""
    from lamplight_cli.apply import Wishes  # noqa: PLC0415 - imports gRPC
    from lamplight_cli.running.up import Wanted, up  # noqa: PLC0415 - imports Kafka and the models

    wishes = Wishes.read(cameras, rules, destinations)
    return up(Wanted(data, namespace, kafka, milvus, for_s), wishes)
