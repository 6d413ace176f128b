"""Random problems of pixels against segments, and their loss by loops."""

import reference
import torch


def make(count, segments, dim, rows, seed=0, dtype=torch.float64, unit=True):
    """Random problem: features, own segments, rows and a table of -1, 0, 1."""
    g = torch.Generator().manual_seed(seed)
    pixels = torch.randn(count, dim, generator=g, dtype=torch.float64)
    prototypes = torch.randn(segments, dim, generator=g, dtype=torch.float64)
    if unit:
        pixels = torch.nn.functional.normalize(pixels, dim=1)
        prototypes = torch.nn.functional.normalize(prototypes, dim=1)
    own = torch.randint(segments, (count,), generator=g)
    row = torch.randint(rows, (count,), generator=g)
    comparison = torch.randint(-1, 2, (rows, segments), generator=g, dtype=torch.int8)
    return pixels.to(dtype), prototypes.to(dtype), own, row, comparison


def reference_losses(pixels, prototypes, own, row, comparison, concentration):
    table = comparison.numpy()[row.numpy()].reshape(len(pixels), len(prototypes))
    return reference.losses(
        pixels, prototypes, own.tolist(), table == 1, table == -1, concentration
    )
