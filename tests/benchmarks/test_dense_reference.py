"""Tests of the dense losses against loops, and of the relations against both."""

from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from models.small_segmentor import C, pooled, weak_maps

from benchmarks.dense_reference import (
    dense_annotation,
    dense_cooccurrence,
    dense_image_similarity,
    dense_pixel_to_segment_loss,
)
from mmseg_spml.models import (
    ImageSimilarityLoss,
    SemanticAnnotationLoss,
    SemanticCooccurrenceLoss,
)

LOSSES = [
    (SemanticAnnotationLoss, {}, dense_annotation),
    (
        SemanticCooccurrenceLoss,
        dict(ignore_tags=(0,), tagless='exact', watch_steps=0),
        dense_cooccurrence,
    ),
    (ImageSimilarityLoss, {}, dense_image_similarity),
]


@pytest.mark.parametrize('concentration', [0.0, 6.0, 40.0])
def test_against_loops(concentration):
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(17, 5, generator=generator, dtype=torch.float64)
    pixels, prototypes = torch.nn.functional.normalize(vectors, dim=1).split([11, 6])
    own = torch.arange(11) % 6
    relation = torch.randint(-1, 2, (11, 6), generator=generator)
    same, different = relation > 0, relation < 0
    same[0], different[0] = False, True  # the own segment alone, which also repels
    same[1], different[1] = False, False
    out = dense_pixel_to_segment_loss(
        pixels, prototypes, own, same, different, concentration
    )
    expected = reference.losses(
        pixels, prototypes, own, same.numpy(), different.numpy(), concentration
    )
    assert np.allclose(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('kind, options, dense', LOSSES)
@pytest.mark.parametrize('concentration', [6.0, 16.0])
def test_relations_and_their_gradients(seed, kind, options, dense, concentration):
    maps = weak_maps(3, (6, 7), seed)
    embedding, segments = pooled(seed=seed, maps=maps)
    loss = kind(concentration, **options)(segments)
    (gradient,) = torch.autograd.grad(loss, embedding, retain_graph=True)
    expected = dense(segments, concentration)
    (wanted,) = torch.autograd.grad(expected, embedding)
    assert segments.num_classes == C
    # Counts and weights are float32.
    assert torch.allclose(loss, expected, rtol=3e-7)
    assert torch.allclose(gradient, wanted, rtol=3e-7, atol=1e-12)


@pytest.mark.parametrize('kind, options, dense', LOSSES)
def test_in_float32_no_worse_than_the_dense_losses(kind, options, dense):
    """The errors of both gradients against float64 are about the same."""
    _, segments = pooled(count=3, size=(24, 24), maps=weak_maps(3, (24, 24)))

    def gradient(loss, dtype):
        names = ('pixels', 'pixels_loc', 'prototypes', 'prototypes_loc')
        leaves = {
            name: getattr(segments, name).detach().to(dtype).requires_grad_()
            for name in names
        }
        found = torch.autograd.grad(
            loss(replace(segments, **leaves)), tuple(leaves.values()), allow_unused=True
        )
        return torch.cat(
            [part.double().flatten() for part in found if part is not None]
        )

    def dense_loss(segments):
        return dense(segments, 16.0)

    loss = kind(16.0, **options)
    truth = gradient(dense_loss, torch.float64)
    own_error = (gradient(loss, torch.float32) - truth).norm()
    dense_error = (gradient(dense_loss, torch.float32) - truth).norm()
    # Both errors are a few roundings.
    assert own_error <= 1.5 * dense_error
