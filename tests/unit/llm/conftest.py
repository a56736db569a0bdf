"""The client's tests have keys, and back off in hundredths of a second."""

import pytest

from tests.provider import KEY


@pytest.fixture(autouse=True)
def _keys_and_short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("midspec.llm.client._FIRST_WAIT", 0.01)
    monkeypatch.setattr("midspec.llm.client._LONGEST_WAIT", 0.1)
