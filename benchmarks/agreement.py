"""Checks that two variants of a computation agree; they raise an error if not."""

from torch import Tensor


def relative_difference(found: Tensor, expected: Tensor) -> str:
    """Check the relative difference of two gradients, by norms."""
    difference = float((found - expected).norm() / expected.norm())
    check_difference(difference, 1e-3)
    return f'relative difference of gradients {difference:.1e}'


def largest_difference(found: Tensor, expected: Tensor) -> str:
    """Check the largest difference of an element of two tensors."""
    difference = float((found - expected).abs().max())
    check_difference(difference, 1e-4)
    return f'largest difference {difference:.1e}'


def mean_difference(found: Tensor, expected: Tensor) -> str:
    """Check the mean difference of two tensors of marginals."""
    difference = float((found.cpu() - expected.cpu()).abs().mean())
    check_difference(difference, 0.01)
    return f'mean difference of marginals {difference:.1e}'


def check_difference(difference: float, largest: float) -> None:
    """Raise an error if two variants differ too much.

    Raises:
        RuntimeError: The difference is above ``largest``.
    """
    if not difference <= largest:
        raise RuntimeError(
            f'the variants differ by {difference:.1e}, expected at most {largest:.1e}'
        )
