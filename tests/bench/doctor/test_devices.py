"""Processors, memory and GPUs, and whether PyTorch can use them."""

from __future__ import annotations

import pytest

from bench.doctor import devices
from bench.doctor.devices import look_at_devices


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Return a function that puts an nvidia-smi before all others, which runs a line of shell."""

    def put(line: str) -> None:
        file = tmp_path / "nvidia-smi"
        file.write_text(f"#!/bin/sh\n{line}\n")
        file.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return put


def found(**how) -> dict:
    return {one.what: one for one in look_at_devices(**how)}


def test_gpus_are_told_with_their_memory_and_pytorch_is_not_asked_unasked(driver, monkeypatch):
    driver("echo 'NVIDIA H200, 143771, 143000'; echo 'Card, of commas, [N/A], [N/A]'")
    monkeypatch.setattr(devices, "build_of", lambda name: "cu130")
    seen = found()
    assert seen["GPU 0"].found == "NVIDIA H200, 140 of 140 GiB free" and seen["GPU 1"].found == "Card, of commas"
    assert seen["PyTorch on GPU"].state == "note" and "--load" in seen["PyTorch on GPU"].do
    assert "core" in seen["CPU"].found and "GB" in seen["memory"].found


@pytest.mark.parametrize("line", ["exit 9", "sleep 30", "echo 'no devices' >&2; exit 1"])
def test_a_driver_that_fails_or_hangs_is_no_gpu_and_does_not_hold_the_doctor_up(driver, line, monkeypatch):
    driver(line)
    monkeypatch.setattr(devices, "PATIENCE", 0.2)
    assert found()["GPU"].state == "note"


def test_a_gpu_beside_a_pytorch_for_the_cpu_is_a_problem_that_stops_nothing(driver, monkeypatch):
    driver("echo 'NVIDIA H200, 143771, 143000'")
    monkeypatch.setattr(devices, "build_of", lambda name: "cpu")
    one = found()["PyTorch on GPU"]
    assert one.state == "problem" and not one.stops and "CUDA" in one.do


def test_libraries_that_cannot_be_imported_are_named_and_stop_a_run(driver, monkeypatch):
    driver("exit 9")
    monkeypatch.setattr(devices, "LOAD", "raise RuntimeError('operator torchvision::nms does not exist')")
    one = found(load=True)["libraries"]
    assert one.state == "problem" and one.stops and "torchvision::nms" in one.found


def test_a_gpu_that_pytorch_does_not_see_is_a_problem(driver, monkeypatch):
    driver("echo 'NVIDIA H200, 143771, 143000'")
    monkeypatch.setattr(devices, "LOAD", "print('[]')")
    seen = found(load=True)
    assert seen["libraries"].state == "ok" and seen["PyTorch on GPU"].state == "problem"
    monkeypatch.setattr(devices, "LOAD", "print('a line of a library')\nprint('[\"NVIDIA H200\"]')")
    assert found(load=True)["PyTorch on GPU"].state == "ok"
