"""The gradient of pooling against autograd's."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_spml.functional.segments import _pixel_gradients as pixel_pooling
from mmseg_spml.functional.segments._pixel_gradients import pool_pixels, unit_pixels
from mmseg_spml.functional.segments.pooling import mean_direction


def inputs(kept=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(2, 3, 2, 4, generator=generator, dtype=torch.float64)
    keep = torch.randperm(16, generator=generator)[:kept].sort().values
    local = torch.rand(kept, 2, generator=generator, dtype=torch.float64) - 0.5
    own = torch.randint(0, 4, (kept,), generator=generator)
    return embedding.requires_grad_(), keep, local, own


def by_autograd(embedding, keep, local, own):
    rows = embedding.permute(0, 2, 3, 1).reshape(16, 3)[keep]
    pixels = F.normalize(rows, dim=1, eps=1e-12)
    located = F.normalize(torch.cat([pixels, local], dim=1), dim=1, eps=1e-12)
    means = (mean_direction(vectors, own, 4) for vectors in (pixels, located))
    return pixels, located, *means


def pooled(embedding, keep, local, own):
    return pool_pixels(embedding, keep, unit_pixels(embedding, keep, local), own, 4)


@pytest.mark.parametrize('kept', [0, 1, 9, 16])
@pytest.mark.parametrize('used', [(0,), (1,), (2,), (3,), (0, 2), (1, 3), (0, 1, 2, 3)])
def test_values_and_gradients(kept, used, monkeypatch):
    monkeypatch.setattr(pixel_pooling, '_ROWS_PER_CHUNK', 4)
    arguments = inputs(kept)
    found, expected = pooled(*arguments), by_autograd(*arguments)
    generator = torch.Generator().manual_seed(1)
    totals = [0, 0]
    for place in used:
        assert torch.allclose(found[place], expected[place], atol=1e-12)
        factor = torch.rand(
            found[place].shape, generator=generator, dtype=torch.float64
        )
        for which, outputs in enumerate((found, expected)):
            totals[which] = totals[which] + (outputs[place] * factor).sum()
    gradients = [torch.autograd.grad(total, arguments[0])[0] for total in totals]
    assert torch.allclose(*gradients, atol=1e-12)


def test_pixels_without_a_direction():
    embedding, keep, local, own = inputs(16)
    with torch.no_grad():
        embedding[0, :, 0, 0] = 0
    total = sum(output.sum() for output in pooled(embedding, keep, local, own))
    (gradient,) = torch.autograd.grad(total, embedding)
    assert torch.isfinite(gradient).all()


def test_without_gradients():
    arguments = inputs()
    outputs = pooled(arguments[0].detach(), *arguments[1:])
    assert not any(output.requires_grad for output in outputs)
