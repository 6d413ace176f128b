"""Options of nearest-segment retrieval."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

RESOLUTIONS = ('input', 'embedding')
BACKENDS = ('torch', 'faiss')


@dataclass(frozen=True)
class RetrievalOptions:
    """Options of prediction from a bank of labeled segments.

    Attributes:
        grid: Number of cells ``(ky, kx)`` of the initial grid of k-means; see
            :class:`~mmseg_spml.functional.segments.pooling.SegmentPooler`.
        iterations: Number of k-means iterations, likewise.
        neighbors: Number K of nearest segments that vote.
        resolution: Resolution at which embeddings are clustered:

            * ``'input'``: embeddings are resized to the input size;
            * ``'embedding'``: embeddings are not resized, which is coarser and faster
              (sliding windows are always stitched at the input size).
        bank: File of the bank. Default: a hook builds the bank.
        backend: ``'torch'`` or ``'faiss'``; see
            :func:`~mmseg_spml.functional.segments.retrieval.nearest_segments`.

    Raises:
        ValueError: If an option is unknown or out of range.

    Example:
        >>> RetrievalOptions.of({'neighbors': 5}).neighbors
        5
    """

    grid: tuple[int, int] = (12, 12)
    iterations: int = 10
    neighbors: int = 20
    resolution: str = 'input'
    bank: str | None = None
    backend: str = 'torch'

    def __post_init__(self) -> None:
        if not isinstance(self.grid, int):  # the pooler refuses it
            object.__setattr__(self, 'grid', tuple(self.grid))
        if self.neighbors < 1:
            raise ValueError(
                f'retrieval.neighbors must be 1 or more, got {self.neighbors}'
            )
        for name, known in (('resolution', RESOLUTIONS), ('backend', BACKENDS)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f'retrieval.{name} must be one of {list(known)}, got '
                    f'{getattr(self, name)!r}'
                )

    @classmethod
    def of(cls, options: Mapping[str, Any] | None) -> 'RetrievalOptions':
        """Build options from a config dict; missing options have their defaults."""
        options = dict(options or {})
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(options) - known)
        if unknown:
            raise ValueError(
                f'unknown retrieval options {unknown}; known are {sorted(known)}'
            )
        return cls(**options)
