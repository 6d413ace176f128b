"""What readers do with malformed entries: stop at the first, or leave them out."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmseg_spml.annotations.validation import AnnotationError


class Problems:
    """Malformed entries that a reader has met.

    Readers wrap the reading of each entry, from a whole file to a single shape, in
    :meth:`leaving_out`. An error then ends the reading, or it is noted and the entry
    left out.

    Args:
        skip: Whether to leave malformed entries out.

    Attributes:
        found: Malformed entries that were left out.
        warnings: Entries that were read, but may mean something else.

    Example:
        >>> problems = Problems(skip=True)
        >>> with problems.leaving_out(file='a.json') as within:
        ...     with within.leaving_out(place='shapes[3]'):
        ...         raise AnnotationError('a ring needs at least 3 vertices, got 2')
        >>> print(problems.found[0])
        a.json, shapes[3]: a ring needs at least 3 vertices, got 2
    """

    def __init__(self, skip: bool = False) -> None:
        self.skip = skip
        self.found: list[AnnotationError] = []
        self.warnings: list[AnnotationError] = []
        self._file: object = None
        self._place: str | None = None

    def _within(self, file: object, place: str | None) -> 'Problems':
        """Return problems of a part, which are among those of the whole."""
        part = Problems(self.skip)
        part.found, part.warnings = self.found, self.warnings
        part._file = self._file if file is None else file
        places = [one for one in (self._place, place) if one is not None]
        part._place = ', '.join(places) if places else None
        return part

    def warn(self, what: str) -> None:
        """Note that an entry may mean something else than what is read."""
        warning = AnnotationError(what, file=self._file, place=self._place)
        self.warnings.append(warning)

    @contextmanager
    def leaving_out(
        self, *, file: object = None, place: str | None = None
    ) -> Iterator['Problems']:
        """Read an entry, which is left out if an :class:`AnnotationError` is raised.

        Generators may yield within the block: errors of the code that takes the value
        are raised there, not here.

        Args:
            file: The file of the entry.
            place: The place of the entry in its file or in the outer entry.

        Yields:
            The problems of the parts of this entry.

        Raises:
            AnnotationError: The entry is malformed, and ``skip`` is False. The error
                names the file and the place.
        """
        try:
            yield self._within(file, place)
        except (AnnotationError, RecursionError) as error:
            if isinstance(error, RecursionError):
                error = AnnotationError('is nested too deeply')
            located = error.at(file=file, place=place)
            if not self.skip:
                raise located from error
            self.found.append(located.at(file=self._file, place=self._place))
