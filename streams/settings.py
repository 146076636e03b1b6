"""Settings of the service, read once from the environment (``PORTRAIT_*``). Secrets may stand in a file: ``PORTRAIT_X_FILE``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from language.names import Names
from language.names import load as load_names
from portrait.expiry import ANONYMOUS_KINDS
from portrait.structures import DAY_MS
from schemas.identity import COUNTRY, CUSTOMER, KINDS, Namer, fingerprint

#: Of BLAKE2b the longest; shorter ones can be tried out.
KEY_BYTES_MIN, KEY_BYTES_MAX = 16, 64
EXPIRE_DAYS_MAX = 36_500

Clock = Literal["wall", "stream"]


class SettingsError(ValueError):
    """A setting that can't be used; the message names the variable and what it may hold."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Each field is one variable: ``kafka`` is ``PORTRAIT_KAFKA``. Defaults suit one machine."""

    kafka: str = "127.0.0.1:9092"  # bootstrap servers, comma separated
    redis: str = "redis://127.0.0.1:6379/0"  # redis://, rediss:// (TLS), unix://; with a password, better in a file
    shards: int = 1  # fixed at creation; more than one for a Redis Cluster
    cluster: bool = False  # PORTRAIT_REDIS names a node of a Redis Cluster
    prefix: str = ""  # of every key in Redis: separates tenants
    group: str = "portrait"  # the consumer group of the workers
    partitions: int = 4  # of each topic of events, when `portrait topics create` makes them
    replication: int = 1
    clock: Clock = "wall"  # wall: catches up in event time, then follows the wall clock; stream: event time only
    horizon_days: int = 60  # churn: nothing bought within so many days
    batch_records_max: int = 16_000  # of one batch, over all partitions: behind, a large one folds a customer's events together
    cache_profiles: int = 50_000  # states kept in a worker's memory
    sweep_interval_ms: int = 1000
    actions_per_minute_max: int = 600  # a cap over all customers of one worker
    session_timeout_s: float = 10.0
    identity_key: str = ""  # of the hashes that stand for e-mail addresses and telephone numbers; never to be changed; in a file
    country: str = COUNTRY  # of telephone numbers without a country code
    expire_idle_days: int = 90  # what `anonymous:` and `device:` hold, if never linked, is let go of after so long; 0: never
    expire_kinds: str = ""  # the same for other kinds, or otherwise for these: social=365,device=30
    names: str = ""  # JSON: rivals, brands and products to look for in texts (docs/language.md); in a file: PORTRAIT_NAMES_FILE
    http_host: str = "127.0.0.1"
    http_port: int = 6066  # /livez /readyz /metrics; 0: any free port; -1: none
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"


def namer_of(settings: Settings) -> Namer:
    """Names the identities of events. Raises SettingsError."""
    secret = settings.identity_key.encode()
    if (secret and not KEY_BYTES_MIN <= len(secret) <= KEY_BYTES_MAX) or not settings.country.isdecimal():
        raise SettingsError(
            f"PORTRAIT_IDENTITY_KEY: {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes; PORTRAIT_COUNTRY: digits, such as 86"
        )
    return Namer(secret, settings.country)


def naming_of(settings: Settings) -> str:
    """How names of identities are made: what the store notes of it."""
    return fingerprint(settings.identity_key.encode(), settings.country)


def idle_of(settings: Settings) -> dict[str, int]:
    """By kind of identity, after how many idle milliseconds one expires; kinds left out never do. Raises SettingsError."""
    days = dict.fromkeys(ANONYMOUS_KINDS, settings.expire_idle_days)
    try:
        for part in filter(None, settings.expire_kinds.replace(" ", "").split(",")):
            kind, _, number = part.partition("=")
            days[kind] = int(number)
    except ValueError as error:
        raise SettingsError("PORTRAIT_EXPIRE_KINDS: kinds and days, such as social=365,device=30") from error
    if not days.keys() <= set(KINDS) - {CUSTOMER} or not all(0 <= n <= EXPIRE_DAYS_MAX for n in days.values()):
        raise SettingsError(
            f"PORTRAIT_EXPIRE_IDLE_DAYS, PORTRAIT_EXPIRE_KINDS: 0 (never) to {EXPIRE_DAYS_MAX} days; "
            f"kinds: {', '.join(kind for kind in KINDS if kind != CUSTOMER)}"
        )
    return {kind: n * DAY_MS for kind, n in days.items() if n}


def names_of(settings: Settings) -> Names | None:
    """What is looked for in texts; None: nothing. Raises SettingsError."""
    try:
        return load_names(settings.names.encode()) if settings.names.strip() else None
    except (ValueError, msgspec.MsgspecError) as error:
        raise SettingsError(f"PORTRAIT_NAMES: {error}; docs/language.md shows what it may hold") from error


def load(environ: Mapping[str, str]) -> Settings:
    """Settings from ``environ``. Raises SettingsError."""
    given: dict[str, str] = {}
    for name in Settings.__struct_fields__:
        variable = f"PORTRAIT_{name.upper()}"
        if file := environ.get(f"{variable}_FILE"):
            try:
                given[name] = Path(file).read_text().strip()
            except OSError as error:
                raise SettingsError(f"{variable}_FILE: {error}") from error
            if not given[name]:
                raise SettingsError(f"{variable}_FILE: {file} is empty; write the value into it, or unset {variable}_FILE")
        elif variable in environ:
            given[name] = environ[variable]
    try:
        settings = msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        path = re.search(r"`\$\.(\w+)`", str(error))
        name = f"PORTRAIT_{path[1].upper()}" if path else "PORTRAIT_*"
        raise SettingsError(f"{name}: {error}; see `portrait worker --help`") from error
    if settings.shards < 1 or settings.batch_records_max < 1 or settings.cache_profiles < settings.batch_records_max:
        raise SettingsError(
            "PORTRAIT_SHARDS, PORTRAIT_BATCH_RECORDS_MAX: at least 1; PORTRAIT_CACHE_PROFILES: at least a batch "
            f"({settings.batch_records_max})"
        )
    if not 1 <= settings.horizon_days <= 730 or settings.sweep_interval_ms < 50 or settings.actions_per_minute_max < 0:
        raise SettingsError(
            "PORTRAIT_HORIZON_DAYS: 1 to 730; PORTRAIT_SWEEP_INTERVAL_MS: at least 50; "
            "PORTRAIT_ACTIONS_PER_MINUTE_MAX: not negative"
        )
    if not -1 <= settings.http_port <= 65535 or settings.session_timeout_s < 1 or not settings.kafka:
        raise SettingsError("PORTRAIT_HTTP_PORT: -1 to 65535; PORTRAIT_SESSION_TIMEOUT_S: at least 1; PORTRAIT_KAFKA: not empty")
    names_of(settings)
    namer_of(settings)
    idle_of(settings)
    if "{" in settings.prefix or "}" in settings.prefix:
        raise SettingsError("PORTRAIT_PREFIX: braces would change the cluster's slot of every key")
    return settings
