"""Entropy and margin against loops in float64."""

import math

import pytest
import torch

from mmseg_spml.functional.uncertainty import normalized_entropy, probability_margin


@pytest.mark.parametrize('number', [2, 3, 7])
def test_against_loops(number):
    generator = torch.Generator().manual_seed(number)
    probabilities = torch.rand(number, 3, 5, generator=generator).softmax(0)
    probabilities[:, 0, 0] = torch.eye(number)[1]
    probabilities[:, 0, 1] = 1 / number
    entropy, margin = (
        normalized_entropy(probabilities),
        probability_margin(probabilities),
    )
    for y in range(3):
        for x in range(5):
            values = probabilities[:, y, x].double().tolist()
            wanted = -sum(p * math.log(p) for p in values if p) / math.log(number)
            assert entropy[y, x] == pytest.approx(wanted, abs=1e-6)
            best = sorted(values)[-2:]
            assert margin[y, x] == pytest.approx(best[1] - best[0], abs=1e-6)
    assert entropy[0, 0] == 0 and margin[0, 0] == 1
    assert entropy[0, 1] == pytest.approx(1, abs=1e-6) and entropy.max() <= 1
    assert margin[0, 1] == 0


def test_one_class():
    ones = torch.ones(1, 2, 2)
    assert normalized_entropy(ones).tolist() == [[0, 0], [0, 0]]
    assert probability_margin(ones).tolist() == [[1, 1], [1, 1]]
