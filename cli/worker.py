"""``portrait worker``: fold events into profiles."""

from __future__ import annotations

import os
import signal
import sys

from cli import output


def command() -> None:
    """Fold events into profiles until SIGTERM or Ctrl-C. Run as many as you like: Kafka shares the partitions out.

    \b
    Settings, all as environment variables (PORTRAIT_X_FILE reads X from a file):
      PORTRAIT_KAFKA            bootstrap servers, comma separated     127.0.0.1:9092
      PORTRAIT_REDIS            redis://, rediss:// or unix://         redis://127.0.0.1:6379/0
      PORTRAIT_SHARDS           fixed when the profiles are created    1
      PORTRAIT_CLUSTER          PORTRAIT_REDIS is a cluster's node     false
      PORTRAIT_PREFIX           of every key in Redis                  (none)
      PORTRAIT_GROUP            consumer group                         portrait
      PORTRAIT_CLOCK            wall, or stream for replayed history   wall
      PORTRAIT_HORIZON_DAYS     churn: nothing bought within           60
      PORTRAIT_IDENTITY_KEY     16 to 64 bytes, under which addresses  (none: they are dead letters)
                                and numbers are hashed; PORTRAIT_COUNTRY, of the latter: 86
      PORTRAIT_EXPIRE_IDLE_DAYS anonymous ones that nobody linked; 0 never   90
      PORTRAIT_EXPIRE_KINDS, PORTRAIT_BATCH_RECORDS_MAX, PORTRAIT_CACHE_PROFILES,
      PORTRAIT_SWEEP_INTERVAL_MS, PORTRAIT_ACTIONS_PER_MINUTE_MAX, PORTRAIT_SESSION_TIMEOUT_S,
      PORTRAIT_HTTP_HOST, PORTRAIT_HTTP_PORT (6066; 0 any, -1 none), PORTRAIT_LOG_LEVEL

    Exit codes: 0 stopped as asked, 1 crashed, 70 refused to go on: the last line of the log says why, and what to do.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the imports take seconds, and nothing is held yet

    import uvloop

    from streams.logging import configure
    from streams.worker import run

    settings = output.settings()
    configure(settings.log_level)

    async def work() -> None:
        code = await run(settings)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # all is closed; a library's task that does not end must not hold up whoever would start another worker

    uvloop.run(work())
