"""Two hundred secrets in twelve carriers are masked, and two hundred texts without one are left: one table."""

import re

import pytest

from tests.detail.secret_table import CARRIERS, FORMS, INNOCENT_WORDS, SECRETS
from tests.detail.test_diagnosis import SENTENCES
from tests.detail.test_redaction import HARMLESS
from visigate_logging.detail.redaction import Redactor
from visigate_logging.detail.token_formats import TOKENS, Token

INNOCENT = [*INNOCENT_WORDS, *SENTENCES, *HARMLESS]


def test_two_hundred_secrets_in_twelve_carriers_are_masked_and_two_hundred_texts_left() -> None:
    redactor = Redactor()
    assert (len(SECRETS), len(CARRIERS)) == (200, 12)
    assert len(set(INNOCENT)) >= 200
    left = [
        (carrier, name, text)
        for name, value in SECRETS
        for carrier, carry in CARRIERS.items()
        if value in redactor.text(text := carry(name, value))
    ]
    left += [("form", secret, text) for text, secret in FORMS if secret in redactor.text(text)]
    eaten = [(text, masked) for text in INNOCENT if (masked := redactor.text(text)) != text]
    assert (left, eaten) == ([], [])


def test_what_is_beside_a_secret_in_its_carrier_stays() -> None:
    redactor = Redactor()
    for name, value in SECRETS[:40]:
        for carrier, carry in CARRIERS.items():
            masked = redactor.text(carry(name, value))
            for kept in ("retrying", "port", "10.0.0.5", "1883", "n=1"):
                assert (kept in masked) == (kept in carry(name, value)), (carrier, masked)


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token.issuer)
def test_a_token_is_known_by_its_look(token: Token) -> None:
    assert re.fullmatch(token.pattern, token.sample)
    for text in (f"refused: {token.sample}", f"('{token.sample}',)", f"x={token.sample}&y=1", f"/a/{token.sample}"):
        masked = Redactor().text(text)
        assert token.sample not in masked
        assert "***" in masked
    assert Redactor().text(token.sample[:8]) == token.sample[:8]
