"""Request authenticator `auth-jwt`: signed tokens (RFC 7519), their claims handed to the node.

Declares the options and puts the parts together; knows nothing of tokens itself.
"""

from __future__ import annotations

from blastbeat import hookimpl
from blastbeat.errors import ConfigError, Problem
from blastbeat.interfaces import Options, Register, RegisterCounter, Validator
from blastbeat.validators import FileContent, choice, flag, several, size, text, time, words
from blastbeat_auth_jwt.authenticator import COUNTERS, Policy, TokenAuthenticator
from blastbeat_auth_jwt.claims import claim_name, claim_names, conditions, headers, quotable, variables
from blastbeat_auth_jwt.sources import MAX_FILE_SIZE, algorithms, choose_algorithms, key_url, make_source
from blastbeat_auth_jwt.tokens import sources
from blastbeat_auth_jwt.verifying import Rules

__all__ = ["TokenAuthenticator"]

blastbeat_api = (1, 0)


def _scopes(value: object) -> tuple[str, ...]:
    return tuple(quotable(word) for word in words(value))


OPTIONS: dict[str, Validator] = {
    "key": several(FileContent(MAX_FILE_SIZE)),
    "secret": several(FileContent(MAX_FILE_SIZE)),
    "jwks": several(FileContent(MAX_FILE_SIZE)),
    "jwks-url": key_url,
    "jwks-ca": FileContent(MAX_FILE_SIZE),
    "jwks-refresh": time(30, 86_400),
    "jwks-keep": time(60, 7 * 86_400),
    "jwks-timeout": time(0.1, 60),
    "algorithms": algorithms,
    "issuer": several(text),
    "audience": several(text),
    "leeway": time(0, 600),
    "type": text,
    "require": claim_names,
    "eternal": flag,
    "scopes": _scopes,
    "claims": conditions,
    "from": sources,
    "max-token": size(256, 65_536),
    "optional": flag,
    "realm": quotable,
    "user-claim": claim_name,
    "variables": variables,
    "headers": headers,
    "authorization": choice("keep", "remove"),
}


def _make(options: Options) -> TokenAuthenticator:
    try:
        source, keys = make_source(options)
        allowed = choose_algorithms(options.get("algorithms", ()), keys)
    except ValueError as error:
        raise ConfigError([Problem(f"auth-jwt: {error}", value="auth-jwt")]) from None
    rules = Rules(
        algorithms=allowed,
        issuers=options.get("issuer", ()),
        audiences=options.get("audience", ()),
        leeway=options.get("leeway", 30.0),
        required=options.get("require", ()),
        may_be_eternal=options.get("eternal", False),
        type=options.get("type", ""),
    )
    policy = Policy(
        places=options.get("from", sources("header")),
        realm=options.get("realm", "Restricted"),
        max_token=options.get("max-token", 16_384),
        scopes=options.get("scopes", ()),
        conditions=options.get("claims", ()),
        user_claim=options.get("user-claim", "sub"),
        variables=options.get("variables", ()),
        headers=options.get("headers", ()),
        keeps_authorization=options.get("authorization") != "remove",
        is_optional=options.get("optional", False),
    )
    return TokenAuthenticator(source, rules, policy)


@hookimpl
def blastbeat_register_counters(register: RegisterCounter) -> None:
    for name, meaning in COUNTERS.items():
        register(name, meaning)


@hookimpl
def blastbeat_register_request_authenticators(register: Register) -> None:
    register("auth-jwt", _make, options=OPTIONS)
