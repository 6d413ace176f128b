"""Choice of images and segments against loops in float64."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmseg_spml.functional.selection import novelty, select_images, select_segments


def unit(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=generator), dim=-1)


def novelty_by_loops(prototype, known):
    cosines = [float(prototype.double() @ other.double()) for other in known]
    return min(max((1 - max(cosines)) / 2, 0), 1) if cosines else 1.0


def images_by_loops(prototypes, weights, images, known, count):
    known = list(known)
    left = sorted(set(images.tolist()))
    chosen = []
    while left and len(chosen) < count:
        scores = {
            image: sum(
                float(weights[s]) * novelty_by_loops(prototypes[s], known)
                for s in np.flatnonzero(images.numpy() == image)
            )
            for image in left
        }
        best = max(left, key=lambda image: scores[image])
        chosen.append((best, scores[best]))
        left.remove(best)
        known += list(prototypes[images == best])
    return chosen


@pytest.mark.parametrize('known', [0, 1, 5])
def test_images_against_loops(known):
    prototypes = unit(40, 6)
    weights = torch.rand(40, generator=torch.Generator().manual_seed(1))
    images = torch.arange(40) % 9
    labeled = unit(known, 6, seed=2)
    found = select_images(prototypes, weights, images, labeled, 6)
    wanted = images_by_loops(prototypes, weights, images, labeled, 6)
    assert [image for image, _ in found] == [image for image, _ in wanted]
    for (_, score), (_, exact) in zip(found, wanted):
        assert score == pytest.approx(exact, abs=1e-5)


def test_segments_against_loops():
    prototypes, known = unit(20, 4), unit(3, 4, seed=2)
    weights = torch.rand(20, generator=torch.Generator().manual_seed(1))
    wanted = images_by_loops(prototypes, weights, torch.arange(20), known, 5)
    found = select_segments(prototypes, weights, known, 5)
    assert found == [segment for segment, _ in wanted]


def test_novelty_in_chunks(monkeypatch):
    prototypes, known = unit(30, 5), unit(7, 5, seed=1)
    whole = novelty(prototypes, known)
    monkeypatch.setattr('mmseg_spml.functional.selection._CHUNK_ELEMENTS', 14)
    # Products of other sizes are rounded in another order.
    assert torch.allclose(novelty(prototypes, known), whole, atol=1e-6)
    for value, prototype in zip(whole, prototypes):
        assert float(value) == pytest.approx(
            novelty_by_loops(prototype, known), abs=1e-6
        )


def test_equal_images_are_not_chosen_twice():
    prototypes = torch.eye(2)[[0, 0, 1]]
    chosen = select_images(
        prototypes, torch.ones(3), torch.arange(3), torch.empty(0, 2), 2
    )
    assert [image for image, _ in chosen] == [0, 2]


def test_fewer_images_than_asked_for_and_none():
    prototypes = unit(2, 3)
    chosen = select_images(
        prototypes, torch.zeros(2), torch.tensor([4, 4]), torch.empty(0, 3), 5
    )
    assert chosen == [(4, 0.0)]
    nothing = torch.empty(0, 3)
    empty = torch.empty(0, dtype=torch.long)
    assert select_images(nothing, torch.empty(0), empty, prototypes, 3) == []
    assert select_segments(nothing, torch.empty(0), prototypes, 3) == []


def test_wrong_inputs():
    prototypes = unit(3, 4)
    with pytest.raises(ValueError, match='a weight and an image for each of the 3'):
        select_images(prototypes, torch.ones(2), torch.arange(3), prototypes, 1)
    with pytest.raises(ValueError, match='weights must be 0 or more, got -1'):
        select_images(prototypes, -torch.ones(3), torch.arange(3), prototypes, 1)
    with pytest.raises(ValueError, match=r'got \(3, 4\) and \(2, 5\)'):
        novelty(prototypes, unit(2, 5))
