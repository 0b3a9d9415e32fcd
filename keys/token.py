"""An Ed25519 key in a PKCS#11 token (PKCS#11 3.0, CKM_EDDSA): it signs there and cannot be read out.

The only module besides `keys.primitives` that touches a cryptographic driver: python-pkcs11, an optional dependency.
ML-DSA and the encryption epochs stay in software: tokens do not have their algorithms.
"""

import threading
from dataclasses import dataclass
from typing import Final

from keys import primitives
from keys.errors import KeystoreFault

try:
    import pkcs11
    from pkcs11.types import SignMixin
except ImportError:  # pragma: no cover
    _MISSING = True
else:
    _MISSING = False

# The curve as tokens want it named: a PrintableString "edwards25519", or the OID 1.3.101.112 (RFC 8410).
_CURVES: Final = (b"\x13\x0cedwards25519", b"\x06\x03\x2b\x65\x70")
# The public point: a DER OCTET STRING of 32 bytes, or just those.
_POINT: Final = b"\x04\x20"
_PROOF: Final = b"cbm token self-test"


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Where a key is: the driver's shared library, the token's label, the key's label."""

    module: str
    label: str
    key: str


class TokenKey:
    """An Ed25519 key that signs in its token. Prints as its public key only."""

    def __init__(self, key: "SignMixin", public: bytes) -> None:
        """Use `open_token` or `make_token_key`."""
        self._key = key
        self._public = public
        # A session of PKCS#11 does one thing at a time.
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """The beginning of the public key."""
        return f"TokenKey({self._public.hex()[:16]})"

    @property
    def public(self) -> bytes:
        """32 bytes."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """A 64-byte signature; raises KeystoreFault when the token does not sign."""
        try:
            with self._lock:
                return bytes(self._key.sign(message, mechanism=pkcs11.Mechanism.EDDSA))
        except pkcs11.PKCS11Error as fault:
            raise _fault(fault, "does not sign: is it plugged in?") from None


def open_token(place: TokenPlace, pin: bytes) -> TokenKey:
    """The key of that label, after it has shown that it signs. Raises KeystoreFault."""
    session = _session(place, pin, writing=False)
    try:
        private = _key(session, pkcs11.ObjectClass.PRIVATE_KEY, place.key)
        point = _key(session, pkcs11.ObjectClass.PUBLIC_KEY, place.key)[pkcs11.Attribute.EC_POINT]
    except pkcs11.PKCS11Error as fault:
        raise _fault(fault, f"has no key pair {place.key!r}: check its label") from None
    if not isinstance(private, SignMixin):
        raise KeystoreFault(f"the key {place.key!r} of the token does not sign: check its label")
    return _tried(TokenKey(private, _public(point)))


def make_token_key(place: TokenPlace, pin: bytes) -> TokenKey:
    """Make a new key pair in the token, which never leaves it. Raises KeystoreFault, also when there is one."""
    session = _session(place, pin, writing=True)
    standing = {pkcs11.Attribute.LABEL: place.key, pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}
    try:
        if any(True for _ in session.get_objects(standing)):
            raise KeystoreFault(f"the token has a key {place.key!r} already: choose another label")
        pair = _generate(session, place.key)
        point = pair[0][pkcs11.Attribute.EC_POINT]
    except pkcs11.PKCS11Error as fault:
        raise _fault(fault, "makes no Ed25519 key: does it know CKM_EDDSA?") from None
    return _tried(TokenKey(pair[1], _public(point)))


def _key(session: "pkcs11.Session", kind: "pkcs11.ObjectClass", label: str) -> "pkcs11.Key":
    return session.get_key(object_class=kind, key_type=pkcs11.KeyType.EC_EDWARDS, label=label)


def _generate(session: "pkcs11.Session", label: str) -> "tuple[pkcs11.PublicKey, SignMixin]":
    attribute = pkcs11.Attribute
    private = {attribute.SENSITIVE: True, attribute.EXTRACTABLE: False, attribute.PRIVATE: True, attribute.SIGN: True}
    refusal: pkcs11.PKCS11Error | None = None
    for curve in _CURVES:
        parameters = session.create_domain_parameters(
            pkcs11.KeyType.EC_EDWARDS, {attribute.EC_PARAMS: curve}, local=True
        )
        try:
            public, signing = parameters.generate_keypair(
                mechanism=pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                store=True,
                label=label,
                id=primitives.random_bytes(8),
                private_template=private,
            )
            if isinstance(signing, SignMixin):
                return public, signing
        except pkcs11.PKCS11Error as fault:
            refusal = fault
    raise refusal or pkcs11.PKCS11Error("no curve")


def _session(place: TokenPlace, pin: bytes, *, writing: bool) -> "pkcs11.Session":
    if _MISSING:
        raise KeystoreFault("python-pkcs11 is not installed: install cbm-exchange[token]")
    try:
        text = pin.decode("utf-8")
    except UnicodeDecodeError:
        raise KeystoreFault("the token's PIN is no text in UTF-8") from None
    try:
        token = pkcs11.lib(place.module).get_token(token_label=place.label)
        try:
            return token.open(rw=writing, user_pin=text)
        except pkcs11.UserAlreadyLoggedIn:
            # Of this process, which may have other sessions.
            return token.open(rw=writing)
    except pkcs11.PKCS11Error as fault:
        what = f"{place.label!r} of {place.module} cannot be opened: check driver, label and PIN"
        raise _fault(fault, what) from None


def _tried(key: TokenKey) -> TokenKey:
    """The key, when what it signs verifies."""
    if not primitives.ed25519_verify(key.public, _PROOF, key.sign(_PROOF)):
        raise KeystoreFault("the token's signature does not verify under its public key: it is of no use here")
    return key


def _public(point: bytes) -> bytes:
    raw = point.removeprefix(_POINT) if len(point) == len(_POINT) + 32 else point
    if len(raw) != 32:
        raise KeystoreFault("the token's public key has a form that is not known here")
    return raw


def _fault(fault: "pkcs11.PKCS11Error", what: str) -> KeystoreFault:
    return KeystoreFault(f"the token {what} ({type(fault).__name__})")
