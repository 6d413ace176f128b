"""Predicted class probabilities and their uncertainty.

Letters: N images, C classes.
"""

import math

import torch
from torch import Tensor


def class_probabilities(scores: Tensor) -> Tensor:
    """Probabilities of the classes from the scores of a segmentor of MMSegmentation.

    Args:
        scores: (N, C, ...) logits, or (N, 1, ...) probabilities of the second of two
            classes, as MMSegmentation returns a single output: after the sigmoid.

    Returns:
        (N, C, ...) of the same dtype, with C = 2 for a single output.

    Example:
        >>> class_probabilities(torch.tensor([[0.25]])).tolist()
        [[0.75, 0.25]]
    """
    if scores.shape[1] == 1:
        return torch.cat([1 - scores, scores], dim=1)
    return scores.softmax(dim=1)


def normalized_entropy(probabilities: Tensor) -> Tensor:
    r"""Entropy of the classes, relative to that of equal probabilities.

    .. math:: -\sum_c p_c \log p_c / \log C

    Args:
        probabilities: (C, ...) float, 0 to 1, which sum to 1 over the classes.

    Returns:
        (...) of the same dtype: 0 where one class is certain, 1 where all are equally
        probable. With one class, 0.

    Example:
        >>> normalized_entropy(torch.tensor([[1.0, 0.5], [0.0, 0.5]])).tolist()
        [0.0, 1.0]
    """
    number = len(probabilities)
    if number < 2:
        return torch.zeros_like(probabilities[0])
    # xlogy is 0 for a probability of 0.
    entropy = 0 - torch.special.xlogy(probabilities, probabilities).sum(dim=0)
    return (entropy / math.log(number)).clamp(0, 1)


def probability_margin(probabilities: Tensor) -> Tensor:
    """Difference of the two largest probabilities, the margin of active learning.

    Args:
        probabilities: (C, ...) float, 0 to 1.

    Returns:
        (...) of the same dtype: 1 where one class is certain, 0 where the two most
        probable classes are equally so. With one class, that class's probability.

    Example:
        >>> probability_margin(torch.tensor([[0.75, 0.5], [0.25, 0.5]])).tolist()
        [0.5, 0.0]
    """
    if len(probabilities) < 2:
        return probabilities[0]
    first, second = probabilities.topk(2, dim=0).values
    return first - second
