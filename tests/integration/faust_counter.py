"""A Faust worker for test_faust_app.py: counts records by key in a table, writes each count to a topic.

    python faust_counter.py BOOTSTRAP PREFIX DATA_DIR EMBEDDED(0|1)

Rows hold `<count>:<last offset>`, so that a record that comes again after a kill is not counted twice.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import faust

from services.chassis.faust_app import create_app, raw_table, raw_topic, run_app, source_record
from services.chassis.settings import KafkaSettings

PARTITIONS = 2


async def main(bootstrap_servers: str, prefix: str, data_dir: str, embedded: str) -> None:
    """Run until SIGTERM."""
    app = create_app(
        KafkaSettings.model_validate({"KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers}),
        app_id=f"{prefix}counter",
        data_dir=Path(data_dir) / "faust",
        partitions=PARTITIONS,
        embedded=embedded == "1",
        instance_id="counter-0",
    )
    counts = raw_table(app, "counts", partitions=PARTITIONS)
    counted = raw_topic(app, f"{prefix}counted")

    @app.agent(raw_topic(app, f"{prefix}words"))
    async def count(stream: faust.StreamT[Any]) -> None:
        async for event in stream.events():
            record = source_record(event)
            row: bytes = counts.get(record.key) or b"0:-1"
            number, last_offset = (int(part) for part in row.split(b":"))
            if record.offset > last_offset:
                number += 1
                counts[record.key] = b"%d:%d" % (number, record.offset)
            await counted.send(
                key=record.key,
                value=b"%d" % number,
                headers={"origin": f"{record.partition}/{record.offset}".encode(), **dict(record.headers)},
            )

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_app(app, stop)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
