"""Tests of the comparison of CRFs with and without pydensecrf2."""

import json
import sys

import numpy as np
import pytest

from benchmarks.crf_comparison import compare_crf, uncertain_scores


def test_scores_are_probabilities_that_vary():
    scores = uncertain_scores((80, 120), 4, seed=1)
    assert scores.shape == (4, 80, 120)
    assert np.allclose(scores.sum(0), 1, atol=1e-5)
    assert (uncertain_scores((80, 120), 4, seed=1) == scores).all()
    assert len(scores.argmax(0).unique()) > 1


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pydensecrf.densecrf', None)
    with pytest.raises(ImportError, match='pip install pydensecrf2'):
        compare_crf(np.zeros((8, 8, 3), np.uint8))


def test_with_the_package():
    pytest.importorskip('pydensecrf.densecrf', reason='extra "crf"')
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    result = compare_crf(image, num_classes=4)
    assert result['difference'] < 1e-4
    assert result['equal'] > 0.999
    assert json.dumps(result)
