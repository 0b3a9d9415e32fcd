"""What the relay counts, for Prometheus. Labels are routes, codes and outcomes: never a member, an id or an address."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The counters of one relay, in a registry of their own."""

    def __init__(self) -> None:
        """All at zero."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "cbm_relay_requests", "HTTP requests by route and status", ["route", "status"], registry=self.registry
        )
        self.accepted = Counter("cbm_relay_envelopes_accepted", "Envelopes accepted", registry=self.registry)
        self.repeated = Counter(
            "cbm_relay_envelopes_repeated",
            "Envelopes that stood already: the stored receipt was given",
            registry=self.registry,
        )
        self.refused = Counter(
            "cbm_relay_envelopes_refused", "Envelopes refused, by problem code", ["code"], registry=self.registry
        )
        self.refusals_told = Counter(
            "cbm_relay_refusals",
            "Providers to be told of a refused transfer, by outcome",
            ["kept"],
            registry=self.registry,
        )
        self.body_bytes = Counter("cbm_relay_body_bytes", "Bytes of accepted bodies", registry=self.registry)
        self.accept_seconds = Histogram(
            "cbm_relay_accept_seconds",
            "From a header's arrival to its receipt",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
            registry=self.registry,
        )
        self.pushed = Counter("cbm_relay_envelopes_pushed", "Envelopes sent over sessions", registry=self.registry)
        self.acknowledged = Counter("cbm_relay_acknowledgements", "Acknowledgements stored", registry=self.registry)
        self.expired = Counter(
            "cbm_relay_envelopes_expired", "Ciphertexts deleted at their end", registry=self.registry
        )
        self.sessions = Gauge("cbm_relay_sessions", "Sessions that are open", registry=self.registry)
        self.directory_size = Gauge("cbm_relay_directory_size", "Entries of the directory", registry=self.registry)
        self.published_size = Gauge(
            "cbm_relay_published_size",
            "Leaves under the newest published checkpoint, by log",
            ["log"],
            registry=self.registry,
        )
        self.cosignatures_refused = Counter(
            "cbm_relay_cosignatures_refused",
            "Answers of witnesses without a cosignature that counts, by log and code",
            ["log", "code"],
            registry=self.registry,
        )

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
