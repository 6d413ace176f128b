"""Which images are held out, against the rules."""

from collections import Counter

import numpy as np
import pytest

from mmseg_spml.annotations.model import WeakAnnotation
from mmseg_spml.projects.held_out import held_out_images


def images(tags):
    return [
        WeakAnnotation(f'{index:04d}.jpg', 2, 3, tags=set(names))
        for index, names in enumerate(tags)
    ]


def test_few_images_are_all_trained_on():
    assert held_out_images(images(['a'] * 19)) == []
    assert held_out_images([]) == []


@pytest.mark.parametrize('number', [20, 21, 100, 349, 350, 399, 1000, 3001])
def test_a_tenth_to_a_fifth_and_at_most_fifty(number):
    held_out = held_out_images(images(['a'] * number))
    assert len(set(held_out)) == len(held_out) <= 50
    if number <= 350:
        assert number / 10 <= len(held_out) <= number / 5
    else:
        assert len(held_out) >= 40


@pytest.mark.parametrize('seed', range(5))
def test_three_images_of_each_class_are_left(seed):
    generator = np.random.default_rng(seed)
    common = [set('ab'[: generator.integers(1, 3)]) for _ in range(60)]
    for name, number in (('c', 2), ('d', 3), ('e', 4), ('f', 9)):
        for index in generator.choice(60, number, replace=False):
            common[index].add(name)
    annotations = images(common)
    held_out = set(held_out_images(annotations))
    assert held_out
    total = Counter(name for one in annotations for name in one.tags)
    left = Counter(
        n for one in annotations if one.image not in held_out for n in one.tags
    )
    assert all(left[name] >= min(total[name], 3) for name in total)
