"""Checks of the options that all losses have."""

from collections.abc import Sequence


def check_loss_options(loss_name: str, loss_weight: float) -> None:
    """Check the name and the weight of a loss.

    Raises:
        ValueError: If the name does not start with ``loss_``, or the weight is
            negative.
    """
    if not loss_name.startswith('loss_'):
        raise ValueError(
            "loss_name must start with 'loss_' (others are not added to the total), "
            f'got {loss_name!r}'
        )
    if loss_weight < 0:
        raise ValueError(f'loss_weight must be 0 or more, got {loss_weight}')


def check_distinct_names(names: Sequence[str]) -> None:
    """Check that no loss of a head would replace another one of its name.

    Raises:
        ValueError: A name comes more than once.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f'each relation and propagation needs a loss_name of its own, got {twice} '
            'more than once'
        )
