"""Seeds by GrabCut where colors tell the object, and where they do not."""

import numpy as np
import pytest

from mmseg_spml.functional.seeds.grabcut import grabcut_seeds

C = 21
BLUE, RED, GREEN = (40, 60, 200), (220, 40, 30), (30, 200, 60)


def scene(size=(48, 64)):
    """Noisy blue, so that a color model has something to fit."""
    rng = np.random.default_rng(0)
    image = np.empty((*size, 3), np.int64)
    image[:] = BLUE
    return image, rng.integers(-12, 13, image.shape)


def photograph(image, noise):
    return (image + noise).clip(0, 255).astype(np.uint8)


def test_an_object_in_its_box():
    image, noise = scene()
    y, x = np.ogrid[:48, :64]
    disc = (y - 24) ** 2 + (x - 30) ** 2 <= 10**2
    image[disc] = RED
    seeds = grabcut_seeds(photograph(image, noise), [(5, 16, 10, 45, 38)], unlabeled=C)
    assert seeds.dtype == np.uint8
    found = seeds == 5
    assert (found & disc).sum() / (found | disc).sum() > 0.95
    box = np.zeros((48, 64), bool)
    box[10:38, 16:45] = True
    assert (seeds[~box] == 0).all()
    assert set(seeds[box]) == {5, C}


def test_smaller_boxes_cover_larger_ones_in_any_order():
    image, noise = scene()
    image[8:40, 10:50] = RED
    image[20:30, 24:36] = GREEN
    boxes = [(1, 8, 6, 52, 42), (2, 22, 18, 38, 32)]
    seeds = grabcut_seeds(photograph(image, noise), boxes, unlabeled=C)
    again = grabcut_seeds(photograph(image, noise), boxes[::-1], unlabeled=C)
    assert (seeds == again).all()
    assert (seeds[22:28, 26:34] == 2).all()
    assert (seeds[10:16, 12:48] == 1).mean() > 0.9


def test_boxes_that_tell_nothing_are_unlabeled():
    image, noise = scene()
    plain = photograph(image, noise)
    seeds = grabcut_seeds(plain, [(3, 10, 10, 30, 30)], unlabeled=C, min_share=1)
    assert set(seeds[10:30, 10:30].ravel()) == {C}
    whole = grabcut_seeds(plain, [(3, -5, -5, 99, 99)], unlabeled=C)
    assert (whole == C).all()


@pytest.mark.parametrize(
    'boxes',
    [[], [(3, 70, 5, 90, 20)], [(3, 5.2, 5.2, 5.2, 5.4)]],
    ids=['none', 'outside', 'empty'],
)
def test_no_pixel_in_a_box_is_background_alone(boxes):
    seeds = grabcut_seeds(photograph(*scene()), boxes, unlabeled=C)
    assert (seeds == 0).all()


def test_boxes_of_one_pixel_and_at_the_border():
    image, noise = scene()
    image[0, 0] = RED
    boxes = [(3, 0, 0, 1, 1), (4, 60, 40, 80, 60)]
    seeds = grabcut_seeds(photograph(image, noise), boxes, unlabeled=C)
    assert seeds[0, 0] in (3, C)
    assert set(seeds[40:, 60:].ravel()) <= {4, C}


def test_bad_input():
    image = photograph(*scene())
    with pytest.raises(ValueError, match='RGB'):
        grabcut_seeds(image[..., 0], [], unlabeled=C)
    for options in (dict(iterations=0), dict(margin=0), dict(min_share=1.5)):
        with pytest.raises(ValueError, match='iterations >= 1'):
            grabcut_seeds(image, [], unlabeled=C, **options)


@pytest.mark.parametrize('label', [-1, C, 300])
def test_boxes_of_other_classes(label):
    image = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match=rf'classes 0\.\.{C - 1}, got \[{label}\]'):
        grabcut_seeds(image, [(label, 1, 1, 5, 5)], unlabeled=C)
