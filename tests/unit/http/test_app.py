"""What the application leaves out of its framework."""

from typing import Any

import pytest

from gateway.http.app import HttpApp


def test_no_variable_of_the_environment_makes_the_framework_tell_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    app: Any = HttpApp()
    assert app._telemetry["auto_configure"] is False
    assert not app._native_telemetry.enabled()
