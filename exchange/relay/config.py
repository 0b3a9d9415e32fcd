"""The relay's settings: `relay.toml` in its folder. A setting that is not known is refused, not ignored."""

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from exchange.errors import Invalid
from exchange.relay import limits
from schemas.limits import MAX_BODY, MIN_KEPT_DAYS

FILE: Final = "relay.toml"


class Limits(BaseModel):
    """Bounds that an operator may tighten; the wire format's own stay what they are."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    max_body: Annotated[int, Field(gt=0, le=MAX_BODY)] = MAX_BODY
    """Largest body that is accepted, in bytes. A larger one is refused with `body-too-large`."""
    max_uploads: Annotated[int, Field(gt=0, le=1024)] = limits.MAX_UPLOADS
    """Uploads at once, of everybody."""
    max_address_uploads: Annotated[int, Field(gt=0, le=1024)] = limits.MAX_ADDRESS_UPLOADS
    """Uploads at once from one address, until the sender is known."""
    max_member_uploads: Annotated[int, Field(gt=0, le=1024)] = limits.MAX_MEMBER_UPLOADS
    """Uploads at once, of one member."""
    max_member_large: Annotated[int, Field(gt=0, le=1024)] = limits.MAX_MEMBER_LARGE
    """Uploads of large bodies at once, of one member."""
    max_handshakes: Annotated[int, Field(gt=0, le=1024)] = limits.MAX_HANDSHAKES
    """Sessions at once that have not proved who they are."""
    max_address_handshakes: Annotated[int, Field(gt=0, le=1024)] = limits.MAX_ADDRESS_HANDSHAKES
    """Such sessions at once from one address."""
    sender_bytes: Annotated[int, Field(gt=0)] = limits.SENDER_BYTES
    """Bytes held of one sender; a quarter is kept for what is more urgent than routine."""
    mailbox_bytes: Annotated[int, Field(gt=0)] = limits.MAILBOX_BYTES
    """Bytes that wait for one member, with the same quarter. More than `sender_bytes`."""
    idle_timeout: Annotated[float, Field(gt=0)] = limits.IDLE_TIMEOUT
    """Seconds that a connection may stay without a complete HTTP request head."""
    header_timeout: Annotated[float, Field(gt=0)] = limits.HEADER_TIMEOUT
    """Seconds that an envelope's header, or a small request, may take to arrive."""
    body_timeout: Annotated[float, Field(gt=0)] = limits.BODY_TIMEOUT
    """Seconds that a body may take to arrive, besides the time for its size."""
    body_rate: Annotated[int, Field(gt=0)] = limits.BODY_RATE
    """Bytes per second that the slowest accepted upload keeps up."""
    log_rate: Annotated[float, Field(gt=0)] = limits.LOG_RATE
    """Requests a second of the open log from one address, after the first `log_at_once`."""
    log_at_once: Annotated[int, Field(gt=0)] = limits.LOG_AT_ONCE
    """Such requests at once."""

    @model_validator(mode="after")
    def _quotas(self) -> "Limits":
        """One sender must not be able to fill another's mailbox."""
        if self.mailbox_bytes <= self.sender_bytes:
            raise ValueError("mailbox_bytes has to be more than sender_bytes")
        return self


class ForeignWitness(BaseModel):
    """A witness that is no member's node (C2SP tlog-witness). Its cosignatures are kept and count for no quorum."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    url: Annotated[str, Field(pattern="^https?://[^ ?#]+$", max_length=500)]
    """Its submission prefix; `/add-checkpoint` is appended. Plain HTTP shows others nothing but the log's size."""
    keys: Annotated[tuple[str, ...], Field(min_length=1, max_length=4)]
    """Its verifier keys (signed-note), for cosignatures with Ed25519 or ML-DSA-44."""


class Audit(BaseModel):
    """The relay's audit log."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    keep_days: Annotated[int, Field(ge=MIN_KEPT_DAYS)] | None = None
    """How long entries are kept whole; `cbm audit prune --policy` removes older ones. Unset: for good."""


class RelaySettings(BaseModel):
    """Everything that `cbm relay run` reads."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: Annotated[str, Field(min_length=1, max_length=200)]
    """The relay's name in the charter."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port to listen on; 0 takes a free one and tells it in `run.json`."""
    plain: bool = False
    """Serve HTTP without TLS. Only on a loopback address: for the demonstration and tests."""
    tls_cert: Path | None = None
    """Certificate chain (PEM); the first certificate's SHA-256 is in the charter. Relative to the folder."""
    tls_key: Path | None = None
    """Its private key (PEM, mode 0600). Relative to the folder."""
    authority: str | None = None
    """Host and port under which nodes know this relay; a request that was signed for another is refused. Unset: any."""
    charter_digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """Digest of charter version 1, pinned when it was installed; without it the relay does not start."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe events that are logged."""
    sweep_interval: Annotated[float, Field(gt=0)] = limits.SWEEP_INTERVAL
    """Seconds between two deletions of ciphertexts whose time is over."""
    checkpoint_every: Annotated[float, Field(gt=0, le=limits.CHECKPOINT_EVERY)] = limits.CHECKPOINT_EVERY
    """Seconds between two checkpoints of a log that grows, at least. Not more than the default: receipts promise that
    an acceptance is logged within a minute."""
    witnesses: Annotated[tuple[ForeignWitness, ...], Field(max_length=16)] = ()
    """Witnesses that are no members' nodes."""
    limits: Limits = Limits()
    """Bounds on what others may send."""
    audit: Audit = Audit()
    """The audit log."""

    @model_validator(mode="after")
    def _transport(self) -> "RelaySettings":
        """TLS, or plain on loopback, and never a silent choice between the two."""
        if self.plain:
            if self.tls_cert or self.tls_key:
                raise ValueError("plain = true and a TLS certificate exclude each other")
            if not _is_loopback(self.host):
                raise ValueError(f"plain = true is for loopback only, not for {self.host}: give tls_cert and tls_key")
        elif not (self.tls_cert and self.tls_key):
            raise ValueError("tls_cert and tls_key are missing (or plain = true, on loopback only)")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings(folder: Path) -> RelaySettings:
    """Read `relay.toml`. Raises Invalid with one line that names the setting at fault."""
    path = folder / FILE
    try:
        text = path.read_text("utf-8")
    except OSError as fault:
        raise Invalid("no-config", f"{path} cannot be read ({fault.strerror}): run `cbm relay init`") from None
    try:
        return parse_settings(tomllib.loads(text))
    except tomllib.TOMLDecodeError as fault:
        raise Invalid("bad-config", f"{path} is not TOML: {fault}") from None


def parse_settings(values: dict[str, object]) -> RelaySettings:
    """Settings from a table. Raises Invalid."""
    try:
        return RelaySettings.model_validate(values)
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the settings"
        raise Invalid("bad-config", f"{where}: {first['msg']}") from None
