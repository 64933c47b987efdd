"""`earshot topics`: create what is missing on the broker."""

from __future__ import annotations

import sys

import click

from services.chassis.errors import EarshotError
from services.chassis.settings import KafkaSettings
from services.chassis.topic_admin import ensure_topics, new_topics
from services.contracts.topics import ALL


@click.command()
@click.option(
    "--partitions", type=click.IntRange(1), help="Partitions of call-keyed topics (default: as in the schemas)."
)
@click.option("--replication", default=-1, show_default=True, help="Replication factor; -1 is the broker's default.")
@click.option(
    "--wait", "wait_s", default=30.0, show_default=True, help="Seconds to wait for a broker that is not up yet."
)
@click.option("--dry-run", is_flag=True, help="Print what would be created, ask no broker.")
def topics(partitions: int | None, replication: int, wait_s: float, dry_run: bool) -> None:
    """Create the topics of schemas/topics, and their dead-letter topics, that do not exist yet.

    The broker is KAFKA_BOOTSTRAP_SERVERS; names begin with EARSHOT_TOPIC_PREFIX.
    """
    settings = KafkaSettings()
    if dry_run:
        for topic in new_topics(ALL, prefix=settings.topic_prefix, partitions=partitions, replication=replication):
            click.echo(f"{topic.topic} partitions={topic.num_partitions} {topic.config}")
        return
    try:
        created = ensure_topics(settings, partitions=partitions, replication=replication, timeout_s=wait_s)
    except EarshotError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    for name in created:
        click.echo(f"created {name}")
    click.echo(f"{len(created)} created, {2 * len(ALL) - len(created)} were there")
