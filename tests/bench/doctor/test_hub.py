"""The hub is asked when that was asked for; a token is never shown; gates and licences are named."""

from __future__ import annotations

import socket

import pytest

from bench.doctor import hub
from bench.doctor.hub import look_at_hub


@pytest.fixture(autouse=True)
def _no_token(monkeypatch, tmp_path):
    for name in (*hub.TOKENS, "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))


def found(**how) -> dict:
    return {one.what: one for one in look_at_hub(**how)}


def test_without_being_asked_nothing_goes_over_a_network(monkeypatch):
    def refuse(*where, **how):
        raise AssertionError("asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    one = found()["access"]
    assert one.state == "note" and "was not asked" in one.found and "--online" in one.do


def test_a_hub_that_does_not_answer_is_a_problem_that_does_not_stop_a_run(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    one = found(online=True)["access"]
    assert one.state == "problem" and not one.stops and "127.0.0.1:9 does not answer" in one.found


def test_a_hub_that_answers_is_well(monkeypatch):
    monkeypatch.setattr(hub, "unreachable", lambda url: None)
    assert found(online=True)["access"].state == "ok"


def test_a_machine_that_is_to_stay_offline_is_not_asked_and_that_is_said(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(hub, "unreachable", lambda url: pytest.fail("asked"))
    one = found(online=True)["access"]
    assert one.state == "note" and "HF_HUB_OFFLINE is set" in one.found


@pytest.mark.parametrize("where", ["HF_TOKEN", "file"])
def test_a_token_is_found_in_the_environment_and_where_login_keeps_it_and_never_shown(where, monkeypatch, tmp_path):
    assert found()["token (HF_TOKEN)"].found == "none"
    if where == "file":
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "token").write_text("hf_secret")
    else:
        monkeypatch.setenv(where, "hf_secret")
    seen = found()
    assert seen["token (HF_TOKEN)"].found == "there"
    assert not any("hf_secret" in text for one in seen.values() for text in (one.what, one.found, one.do))


def test_gated_encoders_and_licences_that_limit_use_are_named():
    seen = found()
    assert "virchow2" in seen["gated encoders"].found and "licence" in seen["gated encoders"].do
    assert "phikon" in seen["non-commercial licences"].found


def test_a_default_encoder_without_its_weights_stops_a_run(monkeypatch):
    monkeypatch.setattr(hub, "availability", lambda spec: "the package is not installed" if spec.name == hub.DEFAULT else None)
    one = found()[f"default encoder {hub.DEFAULT}"]
    assert one.state == "problem" and one.stops
