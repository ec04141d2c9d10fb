"""Torch's threads are as they were before, whatever happens meanwhile."""

from __future__ import annotations

import pytest

from bench.work.threads import torch_threads


def test_the_number_of_threads_is_set_back_also_after_an_error():
    import torch

    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    with pytest.raises(ValueError, match="wrong"), torch_threads(before + 1):
        raise ValueError("wrong")
    assert torch.get_num_threads() == before
