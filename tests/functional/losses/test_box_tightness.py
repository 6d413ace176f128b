"""The box tightness loss against loops over the lines of the boxes."""

import itertools
import math

import pytest
import torch

from mmseg_spml.functional import box_tightness_loss


def runs(inside):
    """First and last index of each run of ones."""
    found, begin = [], None
    for index, value in enumerate([*inside, False]):
        if value and begin is None:
            begin = index
        if not value and begin is not None:
            found.append((begin, index - 1))
            begin = None
    return found


def by_loops(probabilities, boxes, valid):
    """Loss and its gradient."""
    gradient = torch.zeros_like(probabilities)
    terms = []
    number, classes, height, width = boxes.shape
    for n, c in itertools.product(range(number), range(classes)):
        lines = [[(y, x) for x in range(width)] for y in range(height)]
        lines += [[(y, x) for y in range(height)] for x in range(width)]
        for line in lines:
            for first, last in runs([bool(boxes[n, c, y, x]) for y, x in line]):
                pixels = line[first : last + 1]
                if first == 0 or last == len(line) - 1:
                    continue
                if not all(valid[n, y, x] for y, x in pixels):
                    continue
                largest, y, x = max(
                    (float(probabilities[n, c, y, x]), y, x) for y, x in pixels
                )
                terms.append(-math.log(largest))
                gradient[n, c, y, x] -= 1 / largest
    count = max(len(terms), 1)
    return sum(terms) / count, gradient / count


def problem(size, seed, share):
    generator = torch.Generator().manual_seed(seed)
    shape = (3, 4, *size)
    logits = torch.randn(shape, generator=generator, dtype=torch.float64)
    boxes = torch.rand(shape, generator=generator) < share
    valid = torch.rand(3, *size, generator=generator) < 0.9
    return logits.softmax(1).requires_grad_(), boxes, valid


@pytest.mark.parametrize('size', [(6, 9), (7, 3), (1, 5), (4, 1)])
@pytest.mark.parametrize('share', [0.3, 0.7])
def test_value_and_gradient(size, share):
    probabilities, boxes, valid = problem(size, seed=1, share=share)
    found = box_tightness_loss(probabilities, boxes, valid)
    value, gradient = by_loops(probabilities.detach(), boxes, valid)
    assert found.item() == pytest.approx(value, rel=1e-12, abs=1e-12)
    (found_gradient,) = torch.autograd.grad(found, probabilities)
    torch.testing.assert_close(found_gradient, gradient)
    if min(size) > 2:
        assert value > 0
        everywhere = torch.ones_like(valid)
        assert box_tightness_loss(probabilities, boxes) == box_tightness_loss(
            probabilities, boxes, everywhere
        )


def test_a_box_whose_rows_and_columns_are_crossed_costs_nothing():
    probabilities = torch.zeros(1, 2, 6, 6)
    boxes = torch.zeros(1, 2, 6, 6, dtype=torch.bool)
    boxes[0, 1, 1:5, 1:5] = True
    for index in range(1, 5):  # a diagonal meets each line once
        probabilities[0, 1, index, index] = 1
    assert box_tightness_loss(probabilities, boxes) == 0
    probabilities[0, 1, 2, 2] = 0.5  # misses one row and one column of eight lines
    found = box_tightness_loss(probabilities, boxes)
    assert found.item() == pytest.approx(math.log(2) / 4)


def test_lines_that_end_at_the_border_do_not_count():
    boxes = torch.zeros(1, 1, 4, 5, dtype=torch.bool)
    boxes[0, 0, :2, 1:3] = True  # cut off at the top: its rows count, no column does
    probabilities = torch.full((1, 1, 4, 5), 0.1)
    probabilities[0, 0, :2, 1] = 1
    assert box_tightness_loss(probabilities, boxes) == 0


@pytest.mark.parametrize('fill', [False, True])
def test_no_line_that_counts(fill):
    probabilities = torch.rand(2, 3, 4, 4, requires_grad=True)
    boxes = torch.full((2, 3, 4, 4), fill)
    found = box_tightness_loss(probabilities, boxes)
    (gradient,) = torch.autograd.grad(found, probabilities)
    assert found == 0 and not gradient.any()
    assert box_tightness_loss(probabilities[:0], boxes[:0]) == 0
    void = torch.zeros(2, 4, 4, dtype=torch.bool)
    boxes = torch.zeros_like(boxes)
    boxes[:, :, 1:3, 1:3] = True
    assert box_tightness_loss(probabilities, boxes, void) == 0
    assert box_tightness_loss(probabilities, boxes, ~void) > 0


def test_ties_share_the_gradient():
    probabilities = torch.full((1, 1, 3, 4), 0.5, requires_grad=True)
    boxes = torch.zeros(1, 1, 3, 4, dtype=torch.bool)
    boxes[0, 0, 1, 1:3] = True
    box_tightness_loss(probabilities, boxes).backward()
    # One row of two pixels, two columns of one: a gradient of -2 each, of three lines.
    expected = torch.zeros(1, 1, 3, 4)
    expected[0, 0, 1, 1:3] = (-2 - 1) / 3
    torch.testing.assert_close(probabilities.grad, expected)


@pytest.mark.parametrize(
    'dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64]
)
def test_certain_mistakes_stay_finite(dtype):
    logits = torch.tensor([60.0, -60.0], dtype=dtype).view(1, 2, 1, 1)
    logits = logits.expand(1, 2, 5, 5).clone().requires_grad_()
    boxes = torch.zeros(1, 2, 5, 5, dtype=torch.bool)
    boxes[0, 1, 1:4, 1:4] = True
    found = box_tightness_loss(logits.softmax(1), boxes)
    (gradient,) = torch.autograd.grad(found, logits)
    assert 87 < found <= 120 and gradient.isfinite().all()


@pytest.mark.parametrize(
    'boxes, valid, error, words',
    [
        (torch.ones(1, 2, 3, 3), None, TypeError, 'boxes must be bool'),
        (torch.ones(1, 2, 3, 4).bool(), None, ValueError, r'\(1, 2, 3, 4\)'),
        (torch.ones(1, 2, 3, 3).bool(), torch.ones(1, 3, 3), TypeError, 'valid must'),
        (
            torch.ones(1, 2, 3, 3).bool(),
            torch.ones(1, 3, 4).bool(),
            ValueError,
            r'valid \(1, 3, 3\), got \(1, 3, 4\)',
        ),
    ],
)
def test_bad_inputs(boxes, valid, error, words):
    with pytest.raises(error, match=words):
        box_tightness_loss(torch.ones(1, 2, 3, 3), boxes, valid)


@pytest.mark.parametrize('value', [-0.1, 1.5])
def test_logits_are_no_probabilities(value):
    boxes = torch.ones(1, 2, 3, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match='in 0 to 1.*apply a softmax'):
        box_tightness_loss(torch.full((1, 2, 3, 3), value), boxes)


def test_the_gradient_of_certain_mistakes():
    """A logit 60 below the others must still be raised."""
    logits = torch.zeros(1, 2, 3, 3)
    logits[:, 1] = -60
    logits.requires_grad_()
    boxes = torch.zeros(1, 2, 3, 3, dtype=torch.bool)
    boxes[0, 1, 1, 1] = True
    loss = box_tightness_loss(logits.softmax(1), boxes)
    loss.backward()
    assert loss.item() == pytest.approx(60)
    assert logits.grad[0, :, 1, 1].tolist() == pytest.approx([1, -1])
