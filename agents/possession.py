"""Proof of possession within a session, however young its credential: what the gate asks, signed with the agent's own key. Pure.

Over HTTP a DPoP proof (RFC 9449) is one already. A connection of another protocol is asked with a challenge that is good once.
"""

from __future__ import annotations

import hmac

from joserfc import jwt
from joserfc.errors import JoseError

from agents.keys import Key, algorithm_of, kid_of
from core.errors import Refused

PROOF_TYPE = "narrowgate-proof+jwt"
LONGEST_PROOF = 2048  # characters


def require_possession(text: str, *, key: Key, agent: str, challenge: str) -> None:
    """Raise Refused unless `text` states this challenge in the agent's name, signed with `key` and no other."""
    if len(text) > LONGEST_PROOF:
        raise _refused("The proof is too long.")
    try:
        said = jwt.decode(text, key, algorithms=[algorithm_of(key)])
    except (JoseError, ValueError):
        raise _refused("The proof is not signed with the key that the agent has registered.") from None
    if said.header.get("typ") != PROOF_TYPE or said.header.get("kid") != kid_of(key):
        raise _refused(f"The proof is not a JWT of type {PROOF_TYPE} that names its key.")
    if said.claims.get("iss") != agent or not _is(said.claims.get("challenge"), challenge):
        raise _refused("The proof does not answer what the gate asked last in this session.")


def _is(given: object, challenge: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "surrogatepass"), challenge.encode())


def _refused(message: str) -> Refused:
    return Refused(message, "Answer the challenge of the last refusal: narrowgate proof.", code="proof_refused")
