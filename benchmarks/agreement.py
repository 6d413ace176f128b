"""How far two variants of a computation agree; raises if they do not."""

from torch import Tensor


def relative_difference(found: Tensor, expected: Tensor) -> str:
    """Of gradients, by their norms."""
    difference = float((found - expected).norm() / expected.norm())
    check_difference(difference, 1e-3)
    return f'relative difference of gradients {difference:.1e}'


def largest_difference(found: Tensor, expected: Tensor) -> str:
    """Of any element."""
    difference = float((found - expected).abs().max())
    check_difference(difference, 1e-4)
    return f'largest difference {difference:.1e}'


def mean_difference(found: Tensor, expected: Tensor) -> str:
    """Of marginals."""
    difference = float((found.cpu() - expected.cpu()).abs().mean())
    check_difference(difference, 0.01)
    return f'mean difference of marginals {difference:.1e}'


def check_difference(difference: float, largest: float) -> None:
    """Raise if the variants do not compute the same.

    Raises:
        RuntimeError: The difference is larger.
    """
    if not difference <= largest:
        raise RuntimeError(
            f'the variants differ by {difference:.1e}, expected at most {largest:.1e}'
        )
