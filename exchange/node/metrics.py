"""What a node shows to Prometheus: counts by state, never a member, an id or a measure."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge, generate_latest


def metrics_text(counts: Mapping[str, int], directory_size: int, connected: bool) -> bytes:
    """The exposition format. `counts`: of messages by `box.state`, and `alarms`."""
    registry = CollectorRegistry()
    messages = Gauge("cbm_node_messages", "Messages by box and state", ["box", "state"], registry=registry)
    for name, count in counts.items():
        box, _, state = name.partition(".")
        if state:
            messages.labels(box, state).set(count)
    Gauge("cbm_node_alarms", "Alarms raised", registry=registry).set(counts.get("alarms", 0))
    Gauge("cbm_node_directory_size", "Entries of the verified directory", registry=registry).set(directory_size)
    Gauge("cbm_node_relay_session", "1 while a session with the relay is open", registry=registry).set(connected)
    return generate_latest(registry)
