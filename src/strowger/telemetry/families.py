"""Every metric there is: name, labels, meaning. The page of reference, dashboard and rules are compared with it.

Names as Prometheus wants them: base units, `_total` for what only grows. Labels have few values; whatever could have
many (models, routes, fields) has `other` for the rest, and no session is ever a label.
"""

from __future__ import annotations

from strowger.telemetry.tallies import Family

PREFIX = "strowger_"

_CALL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
_CHUNK_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0, 30.0, 60.0, 120.0)
_GAP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 5.0)
_OWN_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

REQUESTS = Family(
    "requests_total",
    "counter",
    ("agent", "wire_in", "wire_out", "provider", "model", "route", "status_class", "error_type"),
    "Calls that are over. status_class is 2xx to 5xx, cancelled or stopped; error_type is empty unless the call "
    "failed.",
)
CANCELLED = Family(
    "cancelled_total", "counter", ("agent", "provider", "model"), "Calls whose client hung up. They are no errors."
)
INCOMPLETE = Family(
    "stream_incomplete_total",
    "counter",
    ("provider", "model", "error_type"),
    "Streams that had begun and did not come to their end through a fault of the upstream or of ours.",
)
TOKENS = Family(
    "tokens_total",
    "counter",
    ("agent", "provider", "model", "type"),
    "Tokens, each counted once: input is without what was read from or written to a cache (cache_read, cache_write), "
    "output without reasoning.",
)
COST = Family(
    "cost_usd_total",
    "counter",
    ("agent", "provider", "model", "kind"),
    "US dollars by the model that answered: billed is money, subscription_value what a plan's traffic would have cost.",
)
UNPRICED = Family(
    "unpriced_calls_total", "counter", ("provider", "model"), "Calls with usage for which there is no price."
)
REQUEST_BYTES = Family("request_bytes_total", "counter", ("agent", "provider"), "Bytes of the bodies of requests.")
RESPONSE_BYTES = Family("response_bytes_total", "counter", ("agent", "provider"), "Bytes of the bodies of answers.")
ATTEMPTS = Family(
    "upstream_attempts_total",
    "counter",
    ("provider", "status_class", "reason"),
    "Tries at upstreams. reason is empty for those that answered; status_class is none where no answer came.",
)
RETRIES = Family(
    "upstream_retries_total",
    "counter",
    ("provider", "reason"),
    "Tries of the same target again, by what had gone wrong.",
)
FAILOVERS = Family(
    "upstream_failovers_total",
    "counter",
    ("provider", "reason"),
    "Times that another target or account took the place of one of this provider's, by what had gone wrong there.",
)
LOSSES = Family(
    "translation_loss_total",
    "counter",
    ("field", "severity", "wire_in", "wire_out"),
    "What could not be carried to another dialect, by its place.",
)

DURATION = Family(
    "request_duration_seconds",
    "histogram",
    ("provider", "model", "stream"),
    "From when a call had been read until its answer was delivered; not of calls that were cancelled or stopped.",
    _CALL_SECONDS,
)
OVERHEAD = Family(
    "gateway_overhead_seconds",
    "histogram",
    ("lane",),
    "From when a call had been read until its first request left for an upstream: what the gateway itself adds.",
    _OWN_SECONDS,
)
FIRST_CHUNK = Family(
    "time_to_first_chunk_seconds",
    "histogram",
    ("provider", "model"),
    "From when a call had been read until the first bytes of its stream went to the client. Streams only.",
    _CHUNK_SECONDS,
)
BETWEEN = Family(
    "inter_chunk_seconds",
    "histogram",
    ("provider", "model"),
    "The mean time between the events of a stream, one observation for each stream.",
    _GAP_SECONDS,
)
STREAM = Family(
    "stream_duration_seconds",
    "histogram",
    ("provider", "model"),
    "From the first bytes of a stream to its end. Streams only.",
    _CALL_SECONDS,
)

IN_FLIGHT = Family(
    "in_flight", "gauge", ("stage",), "Calls under way: waiting for their answer to begin, or answering."
)
QUOTA_LEFT = Family(
    "account_quota_remaining_ratio",
    "gauge",
    ("provider", "account_alias", "window"),
    "What is left of a limit, 0 to 1, as the provider said last; 1 once the window has begun anew.",
)
QUOTA_RESET = Family(
    "account_quota_reset_timestamp_seconds",
    "gauge",
    ("provider", "account_alias", "window"),
    "When a limit begins anew, in Unix time.",
)
RESTING = Family("account_resting", "gauge", ("provider", "account_alias"), "1 while an account is left alone.")
BREAKER = Family(
    "breaker_state",
    "gauge",
    ("provider", "state"),
    "1 for the state that a provider's breaker is in: closed, half_open or open; the worst of its models.",
)
REDACTIONS = Family(
    "redactions_total", "counter", ("rule",), "What looked like a credential and was taken out of the log, by rule."
)
DROPPED = Family(
    "observer_dropped_total",
    "counter",
    ("observer", "what"),
    "What those who look on could not keep up with. Delivery does not depend on them.",
)
QUEUED = Family("observer_queue_depth", "gauge", ("observer",), "What waits to be taken by those who look on.")
BUILD = Family("build_info", "gauge", ("version", "python"), "1; what this gateway is.")
STARTED = Family("start_timestamp_seconds", "gauge", (), "When the gateway started, in Unix time.")
RELOADED_WELL = Family(
    "config_last_reload_successful", "gauge", (), "Whether the last reading of the configuration could be used."
)
RELOADED_AT = Family(
    "config_last_reload_success_timestamp_seconds",
    "gauge",
    (),
    "When a configuration was last taken into use, in Unix time.",
)

COUNTERS = (
    REQUESTS, CANCELLED, INCOMPLETE, TOKENS, COST, UNPRICED, REQUEST_BYTES, RESPONSE_BYTES, ATTEMPTS, RETRIES,
    FAILOVERS, LOSSES,
)  # fmt: skip
HISTOGRAMS = (DURATION, OVERHEAD, FIRST_CHUNK, BETWEEN, STREAM)

SEEN = (
    IN_FLIGHT, QUOTA_LEFT, QUOTA_RESET, RESTING, BREAKER, REDACTIONS, DROPPED, QUEUED, BUILD, STARTED, RELOADED_WELL,
    RELOADED_AT,
)  # fmt: skip
"""What is not counted but looked at, whenever somebody asks."""

FAMILIES = (*COUNTERS, *HISTOGRAMS, *SEEN)
