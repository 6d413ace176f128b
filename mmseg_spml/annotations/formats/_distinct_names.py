"""Names of images that occur once in a source."""

from mmseg_spml.annotations.model import AnnotationError


class DistinctNames:
    """Collects the names of the images of a file or folder.

    Without this check, different images of one name, such as of several subfolders,
    would become one image with the labels of all.

    Example:
        >>> names = DistinctNames()
        >>> names.add('a.jpg')
    """

    def __init__(self) -> None:
        self._known: set[str] = set()

    def add(self, name: str) -> None:
        """Note the name of the next image.

        Raises:
            AnnotationError: There was an image of this name.
        """
        if name in self._known:
            raise AnnotationError(
                f'is another image called {name!r}: give each image a name of its own, '
                'or read the folders one by one'
            )
        self._known.add(name)
