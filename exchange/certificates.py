"""TLS with the certificates of our own servers, whatever they serve."""

import ssl
from pathlib import Path
from typing import Final

from exchange.errors import Invalid

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.3 with a certificate chain and its private key, both PEM.

    Raises Invalid when they cannot be used, or when anybody but this user can read the key: who has it is the server.
    """
    try:
        mode = key.stat().st_mode
        if mode & 0o077:
            raise Invalid("key-not-private", f"{key} can be read by others: chmod go= {key}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as fault:
        raise Invalid("bad-certificate", f"{certificate} and {key} cannot be used for TLS: {fault}") from None
    return context


def leaf(certificate: Path) -> str:
    """The PEM text of the certificate that clients see, the first of the file; raises Invalid."""
    try:
        _, begin, rest = certificate.read_text("ascii").partition(_BEGIN)
        body, end, _ = rest.partition(_END)
    except (OSError, ValueError) as fault:
        raise Invalid("bad-certificate", f"{certificate} cannot be read: {fault}") from None
    if not begin or not end:
        raise Invalid("bad-certificate", f"{certificate} holds no certificate in PEM")
    return f"{begin}{body}{end}\n"


def only(certificate: Path) -> ssl.SSLContext:
    """TLS 1.3 to the one server that has this certificate, under whatever name it is reached. Raises Invalid."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # The certificate itself is trusted, so neither its issuer nor its names have to be.
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=leaf(certificate))
    except ssl.SSLError as fault:
        raise Invalid("bad-certificate", f"{certificate} cannot be used for TLS: {fault}") from None
    return context
