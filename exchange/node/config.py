"""Settings of a node: TOML files in its folder, checked at start; unknown settings are refused.

`node.toml` is the node's; `participation.toml`, if there is one, is the state's declaration of what it takes part in
(`exchange.records.participation` shows its form); `consent.toml`, if there is one, holds the rules by which requests
for consent are answered at once (`exchange.consent.rules`).
"""

import tomllib
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from exchange.consent.rules import ConsentRule, parse_rules
from exchange.errors import Invalid
from exchange.node.access import pattern_fault
from exchange.records.participation import Declaration, parse_declaration
from schemas.limits import DAY, FRESH, MIN_KEPT_DAYS

CONFIG_FILE: Final = "node.toml"
PARTICIPATION_FILE: Final = "participation.toml"
RULES_FILE: Final = "consent.toml"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listen(_Settings):
    """Where ministries reach the node."""

    host: str = Field("127.0.0.1", description="Address to listen on; other than loopback only with TLS.")
    port: int = Field(8480, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    tls_certificate: str | None = Field(None, description="PEM file with the certificate chain.")
    tls_key: str | None = Field(None, description="PEM file with the private key, readable by this user only.")

    @model_validator(mode="after")
    def _loopback_or_tls(self) -> "Listen":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if self.tls_certificate is None and self.host not in _LOOPBACK:
            raise ValueError("a host other than loopback needs tls_certificate and tls_key")
        return self


class Token(_Settings):
    """The PKCS#11 token that holds the Ed25519 half of the signing key; its PIN is in the keystore."""

    module: str = Field(description="The driver: a shared library, such as that of OpenSC or SoftHSM.")
    label: str = Field(description="The token's label.")
    key: str = Field("cbm-signing", description="The label of the key pair in the token.")


class Delivery(_Settings):
    """Times of delivery, in seconds."""

    head_after: int = Field(3600, ge=1, description="Silence after a send until the recipient gets a head.")
    head_every: int = Field(86_400, ge=1, description="Longest time between two heads of a stream in use.")
    gap_deadline: int = Field(300, ge=1, description="How long a missing number may stay missing before the alarm.")
    undelivered_after: int = Field(86_400, ge=1, description="Time from acceptance to the alarm `undelivered`.")
    directory_every: int = Field(30, ge=1, description="Pause between two looks for new directory entries.")
    directory_max_age: int = Field(
        7 * DAY, gt=FRESH, description="How old the cosigned directory may be for a message to be sealed by it."
    )
    statements_after: int = Field(
        7 * DAY, ge=1, description="How long holders have, after a withdrawal, until the alarm `statements-missing`."
    )
    retry_most: int = Field(60, ge=1, description="Longest pause between two tries to reach the relay.")
    tell_openings: bool = Field(True, description="Whether senders are told that an official opened what they sent.")


class Convert(_Settings):
    """Conversions from other formats."""

    accepted_senders: tuple[str, ...] = Field(
        (), max_length=1000, description="Senders, as their CAP alerts write them, whose alerts may break the schema."
    )


class FourEyes(_Settings):
    """What is done only when other officials have approved it. Each has a token; the author does not count."""

    release: tuple[str, ...] = Field(
        (), max_length=100, description="Measures, written as for tokens, of which nothing is sent or passed on alone."
    )
    releases: int = Field(2, ge=1, le=8, description="How many others have to release it.")
    consents: int = Field(0, ge=0, le=8, description="How many others have to agree to a consent; 0: none.")
    days: int = Field(7, ge=1, le=30, description="How long it waits for them.")

    @model_validator(mode="after")
    def _patterns(self) -> "FourEyes":
        for pattern in self.release:
            fault = pattern_fault(pattern)
            if fault is not None:
                raise ValueError(f"{pattern!r}: {fault}")
        return self


class Audit(_Settings):
    """The node's audit log."""

    keep_days: int | None = Field(
        None,
        ge=MIN_KEPT_DAYS,
        description="How long entries are kept whole; `cbm audit prune --policy` removes older ones. None: for good.",
    )


class Timestamps(_Settings):
    """Time-stamps (RFC 3161) of the audit log's checkpoints, once a day."""

    url: str = Field(pattern=r"^https?://\S+$", description="Where the authority is asked, by POST.")
    certificates: str = Field(description="PEM file with the authority's root, and what is between it and the signer.")


class NodeConfig(_Settings):
    """A node's settings."""

    member: str = Field(description="Code of the member whose node this is.")
    relay_url: str = Field(description="The relay's address, https://; http:// only to loopback.")
    charter_digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="Digest of charter version 1, pinned.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is logged.")
    listen: Listen = Listen()
    delivery: Delivery = Delivery()
    convert: Convert = Convert()
    four_eyes: FourEyes = FourEyes()
    audit: Audit = Audit()
    timestamps: Timestamps | None = Field(None, description="Who time-stamps the audit log's checkpoints, if anybody.")
    token: Token | None = Field(None, description="Where the Ed25519 half of the signing key is, when in a token.")

    @model_validator(mode="after")
    def _relay_is_secure(self) -> "NodeConfig":
        host = self.relay_url.partition("://")[2].partition("/")[0].rpartition(":")[0]
        plain_loopback = self.relay_url.startswith("http://") and host in _LOOPBACK
        if not self.relay_url.startswith("https://") and not plain_loopback:
            raise ValueError("relay_url is https://host:port; http:// only to a loopback address")
        return self


def load_config(folder: Path) -> NodeConfig:
    """Read and check the settings; raises Invalid with the setting at fault."""
    path = folder / CONFIG_FILE
    try:
        values = _toml(path, "bad-config")
    except OSError:
        raise Invalid("no-config", f"{path} cannot be read: run `cbm node init` first") from None
    try:
        return NodeConfig.model_validate(values)
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(str(step) for step in first["loc"]) or "settings"
        raise Invalid("bad-config", f"{path}: {place}: {first['msg']}") from None


def load_rules(folder: Path) -> tuple[ConsentRule, ...]:
    """Read and check the rules of consent; none without the file. Raises Invalid with the setting at fault."""
    path = folder / RULES_FILE
    try:
        values = _toml(path, "bad-consent-rules")
    except FileNotFoundError:
        return ()
    except OSError as fault:
        raise Invalid("bad-consent-rules", f"{path} cannot be read: {fault.strerror}") from None
    try:
        return parse_rules(values)
    except Invalid as fault:
        raise Invalid(fault.code, f"{path}: {fault.detail}", fault.extra) from None


def load_declaration(folder: Path, member: str) -> Declaration | None:
    """Read and check the member's declaration; None without the file. Raises Invalid with the setting at fault."""
    path = folder / PARTICIPATION_FILE
    try:
        values = _toml(path, "bad-participation")
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise Invalid("bad-participation", f"{path} cannot be read: {fault.strerror}") from None
    try:
        declaration = parse_declaration(values)
    except Invalid as fault:
        raise Invalid(fault.code, f"{path}: {fault.detail}", fault.extra) from None
    if declaration.member != member:
        raise Invalid(
            "bad-participation", f"{path}: member: it is the declaration of {declaration.member}, not {member}"
        )
    return declaration


def _toml(path: Path, code: str) -> dict[str, object]:
    """Raises Invalid, or OSError."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise Invalid(code, f"{path} is not TOML: {fault}") from None


def settings_bytes(folder: Path) -> bytes:
    """All settings files of a node as they stand, to be digested; a file that is absent is empty."""
    files = (folder / name for name in (CONFIG_FILE, PARTICIPATION_FILE, RULES_FILE))
    texts = [path.read_bytes() if path.exists() else b"" for path in files]
    return b"".join(len(text).to_bytes(8, "big") + text for text in texts)
