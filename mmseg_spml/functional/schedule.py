"""Learning rate schedules."""


def warmup_poly_lr(
    iteration: int,
    base_lr: float,
    max_iters: int,
    power: float = 0.9,
    warmup_iters: int = 100,
    warmup_ratio: float = 0.1,
) -> float:
    """Polynomial decay with a linear warm-up that never exceeds the decay curve.

    ``poly(t) = base_lr (1 - t / T)^power``; for ``t < w`` the rate is
    ``min(base_lr (r (1 - t / w) + t / w), poly(t))``. (Chaining MMEngine's
    ``LinearLR`` and ``PolyLR`` multiplies the two instead.)

    Args:
        iteration: Iteration ``t``, counted from 0.
        base_lr: Learning rate before any decay.
        max_iters: Number of iterations ``T``; the rate is 0 from ``T`` on.
        power: Exponent of the decay.
        warmup_iters: Number of warm-up iterations ``w``; 0 disables the warm-up.
        warmup_ratio: Fraction ``r`` of ``base_lr`` at iteration 0.

    Returns:
        The learning rate.

    Raises:
        ValueError: If ``iteration`` is negative or ``max_iters`` is below 1.

    Example:
        >>> warmup_poly_lr(0, base_lr=0.01, max_iters=1000)
        0.001
    """
    if iteration < 0 or max_iters < 1:
        raise ValueError(
            'expected iteration >= 0 and max_iters >= 1, got '
            f'iteration={iteration}, max_iters={max_iters}'
        )
    rate = base_lr * max(0.0, 1 - iteration / max_iters) ** power
    if iteration < warmup_iters:
        share = iteration / warmup_iters
        rate = min(base_lr * (warmup_ratio * (1 - share) + share), rate)
    return rate
