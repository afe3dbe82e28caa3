"""User tokens: signed as set up, for us, not expired; and the subject alone is reached."""

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid_memory.runtime.access.caller import READ_WRITE, Caller, Scope
from hybrid_memory.runtime.access.errors import NotAccepted
from hybrid_memory.runtime.access.jwks import Jwks, SharedSecret
from hybrid_memory.runtime.access.tokens import Tokens, make_tokens
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import JwtSettings
from tests.unit.access.issuer import AUDIENCE, ISSUER, SECRET, Issuer, claims, handmade, part, signed

TOKENS = Tokens(SharedSecret(SECRET), ISSUER, AUDIENCE, leeway=5)


async def refuses(tokens: Tokens, token: str) -> NotAccepted:
    with pytest.raises(NotAccepted) as refused:
        await tokens.caller(token)
    assert len(token) < 20 or token not in f"{refused.value} {refused.value.reason}"
    return refused.value


async def test_the_subject_is_the_only_user() -> None:
    assert await TOKENS.caller(signed(sub="ada")) == Caller("user:ada", READ_WRITE, frozenset({"ada"}))


@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["another", AUDIENCE]])
async def test_the_audience_may_be_one_of_several(aud: Any) -> None:
    assert await TOKENS.caller(signed(aud=aud))


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        (None, READ_WRITE),
        ("read", {Scope.READ}),
        ("write read", READ_WRITE),
        ("admin", set()),
        ("read admin", {Scope.READ}),
        ("openid profile", set()),
        ("", set()),
        ("READ", set()),
    ],
)
async def test_scopes_and_never_admin(scope: str | None, scopes: set[Scope]) -> None:
    assert (await TOKENS.caller(signed(scope=scope))).scopes == scopes


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": [1]},
        {"exp": time.time() - 6},
        {"nbf": time.time() + 600},
        {"iat": time.time() + 600},
        {"iat": "now"},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\nb"},
        {"sub": "x" * 257},
        {"iss": None},
        {"iss": "https://another.example"},
        {"iss": [ISSUER]},
        {"aud": None},
        {"aud": "another"},
        {"aud": []},
        {"aud": {"a": AUDIENCE}},
        {"scope": ["read"]},
        {"scope": 7},
    ],
    ids=lambda changes: "-".join(f"{name} {type(value).__name__}" for name, value in changes.items()),
)
async def test_wrong_claims(changes: dict[str, Any]) -> None:
    await refuses(TOKENS, handmade({"alg": "HS256"}, claims(**changes)))


@pytest.mark.parametrize("claim", ["exp", "sub", "iss", "aud"])
async def test_which_claim_is_missing_is_said_to_the_log(claim: str) -> None:
    refused = await refuses(TOKENS, handmade({"alg": "HS256"}, claims(**{claim: None})))
    assert (str(refused), refused.reason) == ("the token is not one that this service takes", f"no claim {claim}")


async def test_a_subject_that_is_no_text() -> None:
    await refuses(TOKENS, handmade({"alg": "HS256"}, claims(sub=7)))


async def test_expired_is_said_and_a_few_seconds_are_forgiven() -> None:
    assert "expired" in str(await refuses(TOKENS, signed(exp=time.time() - 60)))
    assert await TOKENS.caller(signed(exp=time.time() - 2))


async def test_another_secret() -> None:
    await refuses(TOKENS, signed(SECRET[:-1] + "?"))


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None, "HS384", "RS256", ["HS256"], 7])
async def test_another_algorithm_or_none(alg: Any) -> None:
    for signature in ("", "AAAA", signed().rpartition(".")[2]):
        await refuses(TOKENS, f"{part({'alg': alg, 'typ': 'JWT'})}.{part(claims())}.{signature}")


@pytest.mark.parametrize("alg", ["HS384", "HS512"])
async def test_the_right_secret_by_another_algorithm(alg: str) -> None:
    await refuses(TOKENS, signed(SECRET * 2, alg))
    long = Tokens(SharedSecret(SECRET * 2), ISSUER, AUDIENCE, 5)
    await refuses(long, signed(SECRET * 2, alg))


async def test_the_public_key_as_a_secret() -> None:
    """The classic confusion: what everybody can read of an RS256 issuer signs an HS256 token."""
    issuer = Issuer("k")
    tokens = Tokens(Jwks("https://issuer.example/keys", issuer.fetch), ISSUER, AUDIENCE, 5)
    assert await tokens.caller(issuer.token("k"))
    public = json.dumps(issuer.entry("k"))
    for secret in (public, issuer.document().decode()):
        await refuses(tokens, handmade({"alg": "HS256", "kid": "k"}, claims(), secret))
    await refuses(tokens, f"{part({'alg': 'none', 'kid': 'k'})}.{part(claims())}.")


async def test_a_key_that_the_token_brings_along() -> None:
    """`jwk`, `jku` and `x5u` in a header are nobody's business."""
    issuer, stranger = Issuer("k"), Issuer("k")
    tokens = Tokens(Jwks("https://issuer.example/keys", issuer.fetch), ISSUER, AUDIENCE, 5)
    for headers in ({"jwk": stranger.entry("k")}, {"jku": "https://evil.example"}, {"x5u": "https://evil.example"}):
        await refuses(tokens, signed(stranger.keys["k"], "RS256", {"kid": "k", **headers}))
    await refuses(tokens, signed(stranger.keys["k"], "RS256", {"kid": "k", "crit": ["b64"], "b64": False}))


GOOD = signed(exp=time.time() + 3600)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.characters(codec="latin-1"))
async def test_a_token_with_one_letter_changed(at: int, letter: str) -> None:
    forged = GOOD[:at] + letter + GOOD[at + 1 :]
    try:
        caller = await TOKENS.caller(forged)
    except NotAccepted:
        return
    # The last letter of base64 has bits that count for nothing.
    assert at == len(GOOD) - 1 or forged == GOOD
    assert caller.users == frozenset({"ada"})


@given(st.text(max_size=50) | st.lists(st.text("aA0-_=", max_size=8), max_size=5).map(".".join))
async def test_no_text_is_a_fault(text: str) -> None:
    await refuses(TOKENS, text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(["exp", "nbf", "iat", "iss", "aud", "sub", "scope", "jti"]), json_values)
async def test_odd_claims_reach_nobody_else(claim: str, value: Any) -> None:
    """Signed by the issuer, whatever it says: a caller or a refusal, no fault, and never more than the subject."""
    token = handmade({"alg": "HS256"}, claims() | {claim: value})
    try:
        caller = await TOKENS.caller(token)
    except NotAccepted:
        return
    assert caller.users == frozenset({value if claim == "sub" else "ada"})
    assert caller.scopes <= READ_WRITE


async def test_deep_nesting_and_length() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 5000).rstrip(b"=").decode()
    await refuses(TOKENS, f"{deep}.{deep}.AAAA")
    await refuses(TOKENS, signed(sub="ada", more="x" * 9000))


async def test_a_token_for_another_service_where_no_audience_is_set() -> None:
    tokens = Tokens(SharedSecret(SECRET), None, None, 5)
    assert await tokens.caller(signed(aud=None, iss=None))
    await refuses(tokens, signed(aud="another"))


URL = "https://issuer.example/keys"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"secret": SECRET, "jwks_url": URL}, "not both"),
        ({"issuer": ISSUER}, "need"),
        ({"jwks_url": URL}, "ISSUER and HM_HTTP__JWT__AUDIENCE"),
        ({"jwks_url": URL, "issuer": ISSUER}, "AUDIENCE"),
        ({"jwks_url": "http://issuer.example", "issuer": ISSUER, "audience": AUDIENCE}, "https"),
        ({"jwks_url": "file:///etc/passwd", "issuer": ISSUER, "audience": AUDIENCE}, "https"),
    ],
)
def test_set_up_wrongly(given: dict[str, str], words: str) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        make_tokens(JwtSettings.model_validate(given))
    assert given.get("secret", "no secret") + " " not in str(refused.value)


async def test_set_up_rightly() -> None:
    assert make_tokens(JwtSettings()) is None
    given = JwtSettings.model_validate({"secret": SECRET, "issuer": ISSUER, "audience": AUDIENCE})
    assert SECRET not in repr(given)
    made = make_tokens(given)
    assert made is not None
    assert await made.caller(signed())
    assert make_tokens(JwtSettings(jwks_url="http://127.0.0.1/keys", issuer=ISSUER, audience=AUDIENCE))
