"""Loading of the pixels to which boxes confine each class."""

from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_spml.annotations.box_extents import box_extents
from mmseg_spml.annotations.model import WeakAnnotation
from mmseg_spml.datasets.annotation_samples import unpacked
from mmseg_spml.datasets.transforms.loading import fitted


@TRANSFORMS.register_module()
class LoadBoxExtents(BaseTransform):
    """Compute the pixels where the boxes of an annotation allow each class.

    Adds ``box_extents``, the set of classes of each pixel ((H, W) int32), and
    ``box_classes``, the classes of each set ((K, C) bool), which
    :class:`PackWeakSegInputs` joins. Use it before any augmentation; those of this
    package know both. See :func:`~mmseg_spml.annotations.box_extents.box_extents`.

    Args:
        boxes_complete: Whether every object has a box. If not, all classes are allowed
            everywhere. None: the value of the annotation.

    Raises:
        ValueError: At loading, if the image has no annotation, or has another size.

    Example:
        >>> transform = LoadBoxExtents(boxes_complete=True)
    """

    def __init__(self, boxes_complete: bool | None = None) -> None:
        self.boxes_complete = boxes_complete

    def transform(self, results: dict) -> dict:
        """Add ``box_extents`` to ``results``."""
        if results.get('annotation') is None:
            raise ValueError(
                f'the image {results.get("img_path")} has no boxes: the data set must '
                "have list_format='annotations'"
            )
        given = unpacked(results['annotation'])
        complete = self.boxes_complete
        boxes = WeakAnnotation(
            given.image,
            *given.size,
            boxes=given.boxes,
            boxes_complete=given.boxes_complete if complete is None else complete,
        )
        results['box_extents'], results['box_classes'] = box_extents(
            fitted(boxes, results), results['class_names'], results['background']
        )
        results.setdefault('seg_fields', []).append('box_extents')
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(boxes_complete={self.boxes_complete})'
