"""JSON values in which one place is replaced by an unexpected value."""

STRANGE = (
    None, True, -1, 0, 2, 255, 10**30, 1e308, float('nan'), '', 'x', '..', '\0', 'NaN',
    [], [[]], [None], {},
)  # fmt: skip


def mutated(value, rng):
    """Copy a JSON value, and replace one place at any depth."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.9:
        copy = value.copy()
        key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        copy[key] = mutated(value[key], rng)
        return copy
    return rng.choice(STRANGE)
