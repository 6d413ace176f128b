"""Loading of what boxes say of the class of each pixel."""

from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_spml.annotations.box_extents import box_extents
from mmseg_spml.annotations.model import WeakAnnotation
from mmseg_spml.datasets.annotation_samples import unpacked
from mmseg_spml.datasets.transforms.loading import fitted


@TRANSFORMS.register_module()
class LoadBoxExtents(BaseTransform):
    """Compute where boxes allow each class, and where the tight ones are.

    Adds ``box_extents``, the set of each pixel ((H, W) int32), ``box_classes``, the
    classes that each set allows, and ``tight_classes``, those in whose axis-parallel
    boxes its pixels are ((K, C) bool), which :class:`PackWeakSegInputs` joins. Use it
    before any augmentation; those of this package know all three. (Turning an image
    would make its boxes loose.) See
    :func:`~mmseg_spml.annotations.box_extents.box_extents`.

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
        """Add the extents of the boxes to ``results``."""
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
        found = box_extents(
            fitted(boxes, results), results['class_names'], results['background']
        )
        results['box_extents'] = found.sets
        results['box_classes'], results['tight_classes'] = found.allowed, found.tight
        results.setdefault('seg_fields', []).append('box_extents')
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(boxes_complete={self.boxes_complete})'
