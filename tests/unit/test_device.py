"""What is fixed before a network is built."""

import os

import pytest
import torch

from bench import device as devices


@pytest.fixture(autouse=True)
def _as_before():
    yield
    devices.pin(exact=False, device="cuda")
    devices.pin()


def fused():
    cuda = torch.backends.cuda
    return {cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled(), cuda.cudnn_sdp_enabled()}


def test_attention_on_a_gpu_is_not_fused_where_results_are_exact(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    devices.pin(exact=True, device="cuda")
    assert fused() == {False}
    assert torch.backends.cuda.math_sdp_enabled()
    assert torch.are_deterministic_algorithms_enabled()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    devices.pin("bf16", exact=False, device="cuda")
    assert fused() == {True}


def test_the_kernels_of_a_cpu_are_left_alone():
    devices.pin()
    assert fused() == {True}
