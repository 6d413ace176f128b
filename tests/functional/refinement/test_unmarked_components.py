"""Components without a mark, against flooding pixel by pixel."""

import pytest
import torch
from flood_fill import unmarked_by_flooding

from mmseg_spml.functional import unmarked_components

VOID = 255


@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize(
    'size, scale',
    [((9, 11), (1, 1)), ((6, 7), (3, 2)), ((1, 9), (2, 1)), ((8, 1), (1, 1))],
)
def test_against_flooding(seed, size, scale):
    generator = torch.Generator().manual_seed(seed)
    draw = torch.rand(3, *size, generator=generator)
    classes = (3 * draw).long()
    classes[draw > 0.95] = VOID
    whole = (3, size[0] * scale[0] + seed % 2, size[1] * scale[1])
    labels = torch.randint(0, 3, whole, generator=generator)
    rare = torch.rand(whole, generator=generator) > 0.1
    labels[rare] = torch.tensor([3, VOID])[seed % 2]
    expected = unmarked_by_flooding(classes.tolist(), labels.tolist(), 3)
    found = unmarked_components(classes, labels, 3)
    assert found.tolist() == expected
    assert size[0] == 1 or size[1] == 1 or 0 < found.sum() < found.numel()


def test_components_touch_at_corners():
    classes = torch.tensor([[[0, 1], [1, 0]]])
    labels = torch.tensor([[[0, 1], [2, 2]]])
    assert not unmarked_components(classes, labels, 2).any()


def test_a_class_without_any_mark_is_not_doubted():
    classes = torch.tensor([[[0, 1, 0]], [[1, 0, 1]]])
    labels = torch.tensor([[[0, 2, 2]], [[2, 2, 2]]])
    found = unmarked_components(classes, labels, 2)
    assert found.tolist() == [[[False, False, True]], [[False] * 3]]


@pytest.mark.parametrize('shape', [(0, 3, 4), (2, 0, 4), (1, 1, 1)])
def test_empty_and_unknown(shape):
    classes = torch.full(shape, VOID)
    found = unmarked_components(classes, torch.zeros(shape, dtype=torch.long), 2)
    assert found.shape == classes.shape and not found.any()


@pytest.mark.parametrize('shapes', [((3, 4), (1, 3, 4)), ((1, 3, 4), (2, 3, 4))])
def test_malformed(shapes):
    classes, labels = (torch.zeros(shape, dtype=torch.long) for shape in shapes)
    with pytest.raises(ValueError, match='must be'):
        unmarked_components(classes, labels, 2)


def test_other_types_and_numbers():
    classes = torch.tensor([[[0, 1, 1, 0, 1]]])
    labels = torch.tensor([[[0, 1, 2, 2, 2]]])
    expected = unmarked_components(classes, labels, 2)
    small = unmarked_components(classes.to(torch.uint8), labels.to(torch.uint8), 2)
    assert torch.equal(small, expected)
    with pytest.raises(TypeError, match='labels must be whole numbers'):
        unmarked_components(classes, labels.float(), 2)
    with pytest.raises(ValueError, match='num_classes'):
        unmarked_components(classes, labels, 0)
    assert not unmarked_components(torch.zeros(1, 0, 3).long(), labels, 2).numel()
