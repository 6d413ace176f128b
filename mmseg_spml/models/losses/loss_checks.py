"""Checks of the options that all losses have."""


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
