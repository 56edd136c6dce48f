"""JSON Web Tokens (RFC 7519) as RFC 8725 wants them: issued by us, or by an issuer whose public keys the operator names.

A token's header is what its sender says: it chooses among the keys that are configured and nothing else. Each key has one
algorithm and one issuer, so neither can be talked into another; nothing is ever fetched because of a token.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt

from service.accounts.roles import OF_A_TENANT, SCOPES, Scope
from service.errors import Unauthorized
from service.ids import new_id

log = logging.getLogger(__name__)

OUR_ISSUER = "urn:augment"
OUR_TYPE = "at+jwt"
_TYPES = ("jwt", OUR_TYPE, f"application/{OUR_TYPE}")
_ALGORITHMS = {"RSA": ("RS256", "PS256"), "EC": ("ES256",), "OKP": ("EdDSA",)}
"""By type of key, those that are taken; the first where the key does not say which it is for."""
_REQUIRED = ["exp", "iss", "aud", "sub"]
_MIN_RSA_BITS = 2048
_OF_ODD_JSON = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)
"""What the library, or we, run into where a header or a claim is JSON of another kind than it should be."""


@dataclass(frozen=True)
class TokenKey:
    """What verifies a token, and what it may be used for."""

    key: Any
    algorithm: str
    issuer: str


@dataclass(frozen=True)
class Claims:
    """What a verified token says."""

    tenant: str
    scopes: frozenset[Scope]
    subject: str
    expires_at_s: float
    key_id: UUID | None
    """For one of ours, the API key that it was issued for."""


@dataclass(frozen=True)
class TokenRules:
    """What every token is held to."""

    audience: str
    leeway_s: float
    tenant_claim: str
    """Claim of another issuer's tokens that names the tenant."""


class Tokens:
    """Issues tokens and verifies them. `theirs` may be replaced while it runs."""

    def __init__(self, rules: TokenRules, ours: Mapping[str, str]) -> None:
        """ours: secrets by key id, the first of which signs."""
        self._rules = rules
        self._ours = {key_id: TokenKey(secret.encode(), "HS256", OUR_ISSUER) for key_id, secret in ours.items()}
        self.theirs: Mapping[str, TokenKey] = {}

    @property
    def can_issue(self) -> bool:
        """Whether there is a secret to sign with."""
        return bool(self._ours)

    def issue(
        self, tenant: str, scopes: frozenset[Scope], key_id: UUID, lifetime_s: float, token_id: UUID | None = None
    ) -> str:
        """A token of ours for the owner of an API key. token_id: what the log knows it by."""
        signer, signing = next(iter(self._ours.items()))
        now_s = int(time.time())
        claims = {
            "iss": OUR_ISSUER,
            "aud": self._rules.audience,
            "sub": str(key_id),
            "tenant": tenant,
            "scope": " ".join(sorted(scopes)),
            "iat": now_s,
            "exp": now_s + round(lifetime_s),
            "jti": str(token_id or new_id()),
        }
        return jwt.encode(claims, signing.key, signing.algorithm, headers={"kid": signer, "typ": OUR_TYPE})

    def verify(self, token: str) -> Claims:
        """What the token says. Unauthorized, whatever is wrong with it."""
        try:
            header = jwt.get_unverified_header(token)
            key = self._key(header)
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],
                audience=self._rules.audience,
                issuer=key.issuer,
                leeway=self._rules.leeway_s,
                options={"require": _REQUIRED},
            )
            return self._ours_says(claims) if key.issuer == OUR_ISSUER else self._theirs_says(claims)
        except jwt.ExpiredSignatureError:
            raise Unauthorized("the token has expired") from None
        except (jwt.PyJWTError, *_OF_ODD_JSON):
            raise _refused() from None

    def _key(self, header: Mapping[str, Any]) -> TokenKey:
        key_id, kind = header.get("kid"), header.get("typ", "JWT")
        if not isinstance(key_id, str) or not isinstance(kind, str) or "crit" in header:
            raise _refused()
        key = self._ours.get(key_id) or self.theirs.get(key_id)
        if key is None or header.get("alg") != key.algorithm:
            raise _refused()
        if kind.lower() not in ((OUR_TYPE,) if key.issuer == OUR_ISSUER else _TYPES):
            raise _refused()
        return key

    def _ours_says(self, claims: Mapping[str, Any]) -> Claims:
        if not isinstance(claims["tenant"], str):
            raise _refused()
        scopes = _scopes(claims) & frozenset(SCOPES)
        return Claims(claims["tenant"], scopes, claims["sub"], self._end_s(claims), UUID(claims["sub"]))

    def _theirs_says(self, claims: Mapping[str, Any]) -> Claims:
        tenant = claims.get(self._rules.tenant_claim)
        if not isinstance(tenant, str) or not isinstance(claims["sub"], str):
            raise _refused()
        return Claims(tenant, _scopes(claims) & OF_A_TENANT, claims["sub"], self._end_s(claims), None)

    def _end_s(self, claims: Mapping[str, Any]) -> float:
        return float(claims["exp"]) + self._rules.leeway_s


def public_keys(document: Any, issuer: str) -> dict[str, TokenKey]:
    """The keys of a JWK set (RFC 7517) that can verify tokens of `issuer`. ValueError where it is no such set.

    Passed over, and told in the log: keys without an id, for encryption, of a kind or size that is not taken, and
    symmetric ones, which are no public keys.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("it is no JWK set: there is no list `keys`")
    keys: dict[str, TokenKey] = {}
    for entry in entries:
        found = _public_key(entry, issuer) if isinstance(entry, dict) else None
        if found is None:
            log.warning("a key of the JWK set is passed over: only RSA from 2048 bits, P-256 and Ed25519, with a kid")
        else:
            keys[str(entry["kid"])] = found
    return keys


def _public_key(entry: Mapping[str, Any], issuer: str) -> TokenKey | None:
    allowed: Sequence[str] = _ALGORITHMS.get(str(entry.get("kty")), ())
    algorithm = entry.get("alg", allowed[0] if allowed else None)
    if not isinstance(entry.get("kid"), str) or algorithm not in allowed or entry.get("use", "sig") != "sig":
        return None
    try:
        # the private part, where somebody put it there, is not read
        key = jwt.PyJWK({name: value for name, value in entry.items() if name != "d"}, algorithm).key
    except jwt.PyJWTError:
        return None
    if entry["kty"] == "RSA" and key.key_size < _MIN_RSA_BITS:
        return None
    return TokenKey(key, algorithm, issuer)


def _scopes(claims: Mapping[str, Any]) -> frozenset[Any]:
    scope = claims.get("scope", "")
    return frozenset(scope.split()) if isinstance(scope, str) else frozenset()


def _refused() -> Unauthorized:
    return Unauthorized("the token is not valid here")
