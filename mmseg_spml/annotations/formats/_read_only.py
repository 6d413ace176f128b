"""The writers of formats that are only read."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation


def refuse_to_write(reason: str) -> Callable[..., NoReturn]:
    """Return a writer that always raises an AnnotationError.

    Args:
        reason: The message, which names a format to write instead.
    """

    def write(
        annotations: Iterable[WeakAnnotation],
        path: str | Path,
        *,
        classes: Sequence[str] | None = None,
    ) -> NoReturn:
        raise AnnotationError(reason, file=path)

    return write
