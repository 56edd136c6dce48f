"""Keys and tokens by themselves: what is taken for one, and everything that must not be."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from service.accounts import keys, token_keys
from service.accounts.jwks import JwksUnreadable, read_keys
from service.accounts.roles import ROLES
from service.accounts.tokens import OUR_ISSUER, OUR_TYPE, TokenRules, Tokens, public_keys
from service.errors import Unauthorized
from service.fresh import Fresh
from service.ids import new_id

SECRET = "s" * 40
THEIRS = "https://issuer.example"
RULES = TokenRules(audience="augment", leeway_s=30.0, tenant_claim="tenant")
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, algorithm: str, **more: Any) -> dict[str, Any]:
    """The public half of a key, as an issuer publishes it."""
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**made, "use": "sig", **more}


SET = {
    "keys": [jwk(RSA, "RS256", kid="rsa", alg="RS256"), jwk(EC, "ES256", kid="ec"), jwk(ED, "EdDSA", kid="ed")],
}


@pytest.fixture
def tokens() -> Tokens:
    made = Tokens(RULES, {"new": SECRET, "old": "o" * 40})
    made.theirs = public_keys(SET, THEIRS)
    return made


def claims(**changes: Any) -> dict[str, Any]:
    """Claims of a good token of the other issuer; None leaves one out."""
    good = {
        "iss": THEIRS,
        "aud": "augment",
        "sub": "ann",
        "tenant": "acme",
        "scope": "read submit",
        "exp": int(time.time()) + 60,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(said: Mapping[str, Any], key: Any = RSA, algorithm: str = "RS256", **header: Any) -> str:
    return jwt.encode(dict(said), key, algorithm, headers={"kid": "rsa", **header})


def by_hand(header: Mapping[str, Any], said: Any, secret: bytes | None = None) -> str:
    """A token that no library would make."""
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, said))
    signature = b"" if secret is None else hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def pem(key: rsa.RSAPrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_keys_are_recognised_by_scanners_and_by_their_checksum() -> None:
    made = {keys.new_key() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"augk_[0-9A-Za-z]{38}", key) and keys.is_key(key) for key in made)
    key = made.pop()
    for place in range(len(key)):
        other = "0" if key[place] != "0" else "1"
        assert not keys.is_key(key[:place] + other + key[place + 1 :])
    assert keys.hint_of(key) == key[:9]
    assert keys.sha256_of(key) == hashlib.sha256(key.encode()).hexdigest()


def test_our_tokens_say_what_was_put_into_them(tokens: Tokens) -> None:
    key_id = new_id()
    said = tokens.verify(tokens.issue("acme", ROLES["read"], key_id, 60))
    assert (said.tenant, said.scopes, said.key_id) == ("acme", {"read"}, key_id)
    assert 60 <= said.expires_at_s - time.time() <= 60 + RULES.leeway_s + 1


def test_secrets_are_changed_without_a_gap(tokens: Tokens) -> None:
    before = Tokens(RULES, {"old": "o" * 40}).issue("acme", ROLES["read"], new_id(), 60)
    assert tokens.verify(before).tenant == "acme"
    assert jwt.get_unverified_header(tokens.issue("acme", ROLES["read"], new_id(), 60))["kid"] == "new"
    with pytest.raises(Unauthorized):
        Tokens(RULES, {"new": SECRET}).verify(before)


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(RSA, "RS256", "rsa"), (EC, "ES256", "ec"), (ED, "EdDSA", "ed")])
def test_tokens_of_another_issuer(tokens: Tokens, key: Any, algorithm: str, kid: str) -> None:
    said = tokens.verify(signed(claims(), key, algorithm, kid=kid))
    assert (said.tenant, said.scopes, said.subject, said.key_id) == ("acme", {"read", "submit"}, "ann", None)


def test_another_issuer_grants_nothing_beyond_a_tenant(tokens: Tokens) -> None:
    said = tokens.verify(signed(claims(scope="read admin operator metrics root")))
    assert said.scopes == {"read", "admin"}


def test_an_audience_may_be_one_of_several(tokens: Tokens) -> None:
    assert tokens.verify(signed(claims(aud=["other", "augment"]))).tenant == "acme"


def test_a_clock_may_be_off_by_the_leeway(tokens: Tokens) -> None:
    assert tokens.verify(signed(claims(exp=int(time.time()) - 20, iat=int(time.time()) + 20)))
    for off in ({"exp": int(time.time()) - 40}, {"iat": int(time.time()) + 40}, {"nbf": int(time.time()) + 40}):
        with pytest.raises(Unauthorized):
            tokens.verify(signed(claims(**off)))


OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OURS = {
    "iss": OUR_ISSUER,
    "aud": "augment",
    "sub": str(new_id()),
    "tenant": "acme",
    "scope": "operator",
    "exp": int(time.time()) + 3600,
}
TYPED = {"alg": "HS256", "kid": "new", "typ": OUR_TYPE}
FORGED = {
    "none": by_hand({"alg": "none", "kid": "rsa"}, claims()),
    "none, in capitals": by_hand({"alg": "NONE", "kid": "new", "typ": OUR_TYPE}, OURS),
    "no algorithm": by_hand({"kid": "rsa"}, claims()),
    "no signature": signed(claims()).rpartition(".")[0] + ".",
    "another key": signed(claims(), OTHER_RSA),
    "HS256 with the public key": by_hand({"alg": "HS256", "kid": "rsa"}, claims(), pem(RSA)),
    "HS256 with no secret": by_hand(TYPED, OURS, b""),
    "another algorithm of the key": signed(claims(), RSA, "PS256"),
    "RS256 under the id of our secret": signed(OURS, RSA, "RS256", kid="new", typ=OUR_TYPE),
    "our secret for their issuer": jwt.encode(claims(), SECRET, "HS256", headers={"kid": "new", "typ": OUR_TYPE}),
    "their key for our issuer": signed({**OURS, "iss": OUR_ISSUER}),
    "our token of no type": jwt.encode(OURS, SECRET, "HS256", headers={"kid": "new"}),
    "another type": signed(claims(), typ="dpop+jwt"),
    "the id of a file": signed(claims(), kid="../../etc/passwd"),
    "an id of SQL": signed(claims(), kid="x' UNION SELECT 'secret"),
    "an unknown id": signed(claims(), kid="other"),
    "no id": jwt.encode(claims(), RSA, "RS256"),
    "an id that is a list": by_hand({"alg": "HS256", "kid": ["new"], "typ": OUR_TYPE}, OURS, SECRET.encode()),
    "an address of keys in the header": signed(claims(), OTHER_RSA, jku="http://127.0.0.1:1/keys", kid="theirs"),
    "a key in the header": signed(claims(), OTHER_RSA, jwk=jwk(OTHER_RSA, "RS256"), kid="mine"),
    "a critical extension": by_hand({**TYPED, "crit": ["b64"], "b64": False}, OURS, SECRET.encode()),
    "another audience": signed(claims(aud="billing")),
    "no audience": signed(claims(aud=None)),
    "another issuer": signed(claims(iss="https://evil.example")),
    "no issuer": signed(claims(iss=None)),
    "expired": signed(claims(exp=int(time.time()) - 60)),
    "no end": signed(claims(exp=None)),
    "an end that is text": signed(claims(exp="tomorrow")),
    "an end that is no float": signed(claims(exp=10**400)),
    "an end that is no number": signed(claims(exp=float("inf"))),
    "a beginning that is no number": signed(claims(nbf=float("inf"))),
    "ours with an end that is no float": by_hand(TYPED, {**OURS, "exp": 10**400}, SECRET.encode()),
    "no subject": signed(claims(sub=None)),
    "no tenant": signed(claims(tenant=None)),
    "a tenant that is a list": signed(claims(tenant=["acme"])),
    "ours without a tenant": by_hand(TYPED, {name: OURS[name] for name in OURS if name != "tenant"}, SECRET.encode()),
    "ours for a subject that is no key": by_hand(TYPED, {**OURS, "sub": "ann"}, SECRET.encode()),
    "ours for a tenant that is a number": by_hand(TYPED, {**OURS, "tenant": 1}, SECRET.encode()),
    "claims that are a list": by_hand(TYPED, [1], SECRET.encode()),
    "a header that is nested deeply": base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("=") + ".e30.x",
    "two dots": "..",
    "not ASCII": "\u00e9.\u00e9.\u00e9",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused(tokens: Tokens, name: str) -> None:
    with pytest.raises(Unauthorized):
        tokens.verify(FORGED[name])


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_whatever_has_two_dots_is_refused_and_nothing_else(one: bytes, two: bytes, three: bytes) -> None:
    token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (one, two, three))
    with pytest.raises(Unauthorized):
        Tokens(RULES, {"new": SECRET}).verify(token)


def test_odd_keys_of_a_set_are_passed_over() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    odd = [
        {"kty": "oct", "kid": "secret", "k": base64.urlsafe_b64encode(b"x" * 32).decode()},
        jwk(RSA, "RS256", kid="for encryption", use="enc"),
        jwk(RSA, "RS256"),
        jwk(weak, "RS256", kid="weak"),
        jwk(RSA, "RS256", kid="odd", alg="HS256"),
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        "text",
    ]
    assert set(public_keys({"keys": [*odd, *SET["keys"]]}, THEIRS)) == {"rsa", "ec", "ed"}
    for document in ([], {}, {"keys": {}}, None):
        with pytest.raises(ValueError, match="JWK set"):
            public_keys(document, THEIRS)


async def test_a_file_of_keys(tmp_path: Any) -> None:
    file = tmp_path / "jwks.json"
    with pytest.raises(JwksUnreadable):
        await read_keys(str(file), THEIRS)
    file.write_text(json.dumps(SET))
    assert set(await read_keys(str(file), THEIRS)) == {"rsa", "ec", "ed"}
    for content in (b"no JSON", b"\xff", b" " * (2**20 + 1)):
        file.write_bytes(content)
        with pytest.raises(JwksUnreadable):
            await read_keys(str(file), THEIRS)


@pytest.mark.parametrize("text", ["", "new", f"new:{'x' * 31}", f"n w:{SECRET}", f"a:{SECRET},a:{SECRET}", f"a:{SECRET},"])
def test_secrets_of_tokens_are_checked_and_never_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"entry [12]|secret of entry") as caught:
        token_keys.parse(text)
    assert SECRET not in str(caught.value)


def test_secrets_of_tokens_by_id() -> None:
    assert token_keys.parse(f"new:{SECRET}, old:{'o:' * 20}") == {"new": SECRET, "old": "o:" * 20}


async def test_facts_are_read_once_for_all_who_ask_and_again_when_they_are_old() -> None:
    now_s, reads = 0.0, 0

    async def read(key: str) -> str:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0)
        if key == "bad":
            raise LookupError
        return f"{key} {reads}"

    fresh: Fresh[str, str] = Fresh(read, 5.0, 2, lambda: now_s)
    assert set(await asyncio.gather(*(fresh.get("a") for _ in range(50)))) == {"a 1"}
    now_s = 5.0
    assert await fresh.get("a") == "a 1"
    now_s = 5.1
    assert await fresh.get("a") == "a 2"
    for _ in range(2):
        with pytest.raises(LookupError):
            await fresh.get("bad")
    assert reads == 4
    await fresh.get("b"), await fresh.get("c")
    assert await fresh.get("b") == "b 5"  # kept, while "a", the oldest, went
    assert fresh.last("a") is None
    assert await fresh.get("a") == "a 7"
    now_s = 100.0
    assert fresh.last("a") == "a 7"
