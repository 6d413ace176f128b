"""Multi-label classifier of image tags with class activation maps."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import PixelData
from mmpretrain.models import ImageClassifier
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.seeds.cam import class_activations, normalized_maps, top_mean
from mmseg_spml.models.segmentors.views import resized


@MODELS.register_module()
class TagClassifier(ImageClassifier):
    """MMPretrain's ``ImageClassifier`` for tags, with class activation maps.

    A linear layer applied at each location of the last feature map gives the activation
    map of each class; the mean of the map is the score of the class (Zhou et al.,
    "Learning Deep Features for Discriminative Localization", CVPR 2016). For prediction
    the maps are averaged over ``scales`` and, with ``flip``, mirrored images. Class 0,
    the background, is not classified: score k belongs to class k + 1. Unknown tags do
    not contribute to the loss.

    Args:
        backbone: Config of the backbone; its last map is used if there is no neck.
        head: Config of a head with a linear layer ``fc``, such as
            ``MultiLabelLinearClsHead`` with C - 1 classes; its ``loss`` must be
            elementwise.
        neck: Config of a neck that returns a single map.
        scales: Scale factors of the image, over which the maps are averaged.
        flip: Whether to average over mirrored images, too.
        top_share: Fraction of the largest activations of a map whose mean is the score
            (see ``top_mean``); values below 1 help to find small objects. The map
            includes the padding in training, but not in prediction.
        predicts_maps: Whether predictions contain maps in addition to scores.
        **kwargs: Other arguments of ``ImageClassifier``.

    Raises:
        ValueError: If a scale is not positive or there is none, ``top_share`` is out of
            range, or the head has no linear layer.

    Example:
        >>> model = TagClassifier(
        ...     backbone=dict(type='mmseg.EfficientNetLite', out_indices=(3,),
        ...                   pretrained=False),
        ...     head=dict(type='mmpretrain.MultiLabelLinearClsHead', num_classes=2,
        ...               in_channels=112),
        ...     data_preprocessor=dict(type='mmseg.SPMLDataPreProcessor'))
        >>> model.eval().activation_maps(torch.rand(1, 3, 48, 32)).shape
        torch.Size([1, 2, 48, 32])
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        neck: dict | None = None,
        scales: Sequence[float] = (1.0,),
        flip: bool = True,
        top_share: float = 1.0,
        predicts_maps: bool = False,
        **kwargs: Any,
    ) -> None:
        if not scales or not all(scale > 0 for scale in scales):
            raise ValueError(f'`scales` must be positive numbers, got {scales}')
        if not 0 < top_share <= 1:
            raise ValueError(f'`top_share` must be in (0, 1], got {top_share}')
        # MMSegmentation's loss of the same name is none of tags.
        loss = dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True)
        head = {'loss': loss, **head}
        super().__init__(backbone=backbone, neck=neck, head=head, **kwargs)
        self.scales = tuple(scales)
        if not hasattr(self.head, 'fc'):
            raise ValueError(
                'the head needs a linear layer `fc`, such as MultiLabelLinearClsHead '
                f'has, got {type(self.head).__name__}'
            )
        self.flip = flip
        self.top_share = top_share
        self.predicts_maps = predicts_maps

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[SegDataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Run MMPretrain's forward; mode ``'tensor'`` returns the logits (N, C-1)."""
        if mode == 'tensor':
            activations = self._activations(inputs)
            return top_mean(activations, self.top_share) + self.head.fc.bias
        return super().forward(inputs, data_samples, mode)

    def loss(
        self, inputs: Tensor, data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Loss of the known tags: summed over classes, averaged over images.

        Args:
            inputs: (N, 3, H, W).
            data_samples: Samples with ``gt_tags``.
        """
        scores = self(inputs)
        target = _targets(data_samples, scores)
        known = target >= 0
        loss = self.head.loss_module(
            scores[known][:, None], target[known][:, None], avg_factor=len(scores)
        )
        return dict(loss=loss)

    def predict(
        self,
        inputs: Tensor,
        data_samples: list[SegDataSample] | None = None,
        **kwargs: Any,
    ) -> list[SegDataSample]:
        """Predict scores, and maps if ``predicts_maps`` is set.

        Returns:
            list: The samples with the fields

            * ``pred_score``: (C-1,) in [0, 1];
            * ``gt_score``: (C-1,), 1 present, 0 absent, -1 unknown, if they have tags;
            * ``cams``: PixelData of (C-1, H, W) in [0, 1] at the size of the image
              file, with ``predicts_maps``.
        """
        if data_samples is None:
            data_samples = [SegDataSample() for _ in inputs]
        for sample, image in zip(data_samples, inputs):
            # Remove the padding that was added to stack the images.
            size = sample.metainfo.get('img_shape', image.shape[-2:])[:2]
            image = image[None, :, : size[0], : size[1]]
            sample.set_field(self(image)[0].sigmoid(), 'pred_score')
            if self.predicts_maps:
                shape = tuple(sample.metainfo.get('ori_shape', size)[:2])
                maps = resized(self.activation_maps(image), shape)[0]
                sample.set_field(PixelData(data=normalized_maps(maps)), 'cams')
        scores = torch.stack([sample.pred_score for sample in data_samples])
        if 'gt_tags' in data_samples[0]:
            for sample, target in zip(data_samples, _targets(data_samples, scores)):
                sample.set_field(target, 'gt_score')
        return data_samples

    def activation_maps(self, inputs: Tensor) -> Tensor:
        """Positive part of the class activations, averaged over scales and mirroring.

        Args:
            inputs: (N, 3, H, W), preprocessed.

        Returns:
            Tensor: (N, C-1, H, W), >= 0.
        """
        size = tuple(inputs.shape[-2:])
        total = inputs.new_zeros(())
        for scale in self.scales:
            view = resized(inputs, tuple(max(round(scale * n), 1) for n in size))
            for mirrored in (False, True) if self.flip else (False,):
                image = view.flip(-1) if mirrored else view
                maps = self._activations(image).relu()
                maps = maps.flip(-1) if mirrored else maps
                total = total + resized(maps, size)
        return total / (len(self.scales) * (1 + self.flip))

    def _activations(self, inputs: Tensor) -> Tensor:
        features = self.extract_feat(inputs)
        if not isinstance(features, Tensor):
            features = features[-1]
        return class_activations(features, self.head.fc.weight)


def _targets(samples: list[SegDataSample], scores: Tensor) -> Tensor:
    """Target scores (N, C-1): 1 present, 0 absent, -1 unknown."""
    rows: list[Tensor] = []
    for sample in samples:
        if 'gt_tags' not in sample:
            raise ValueError(
                f'the image {sample.metainfo.get("img_path")} has no tags: load them '
                'by LoadWeakAnnotations and pack them by PackWeakSegInputs'
            )
        rows.append(sample.gt_tags.label.float()[1:])
    target = torch.stack(rows).to(scores)
    if target.shape != scores.shape:
        raise ValueError(
            f'the data have {target.shape[1]} classes beside the background, the head '
            f'has {scores.shape[1]}: set model.head.num_classes'
        )
    return target
