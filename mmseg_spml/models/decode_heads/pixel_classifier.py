"""The classifier of pixels by their unit embeddings."""

import torch
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn


class PixelClassifier(nn.Sequential):
    """Classifier of SPML: 3 x 3 convolution, normalization, ReLU, dropout, 1 x 1.

    Args:
        embedding_dim: ``D``.
        channels: Number of channels between the two convolutions.
        num_classes: ``C``.
        norm_cfg: Normalization layer.
        dropout_ratio: Ratio of the dropout, which is element-wise.
    """

    def __init__(
        self,
        embedding_dim: int,
        channels: int,
        num_classes: int,
        norm_cfg: dict,
        dropout_ratio: float,
    ) -> None:
        super().__init__(
            nn.Conv2d(embedding_dim, channels, 3, padding=1, bias=False),
            build_norm_layer(norm_cfg, channels)[1],
            nn.ReLU(inplace=True),
            # Element-wise, unlike the Dropout2d of MMSegmentation's heads.
            nn.Dropout(dropout_ratio),
            nn.Conv2d(channels, num_classes, 1),
        )

    def forward(self, embedding: Tensor) -> Tensor:
        """Logits ``(N, C, h, w)`` of embedding maps ``(N, D, h, w)`` of any length."""
        # In half precision the smallest divisor would be 0.
        wide = embedding.to(torch.promote_types(embedding.dtype, torch.float32))
        unit = F.normalize(wide, dim=1, eps=1e-12)
        return super().forward(unit.to(embedding.dtype))
