"""Export of a segmentor's classifier to ONNX, checked with ONNX Runtime."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from pathlib import Path

import torch
from mmengine.model.utils import revert_sync_batchnorm
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn

from mmseg_spml.models.data_preprocessor import normalize, padded_for_test

_HELP = 'install onnx, onnxscript and onnxruntime (pip install -e ".[onnx]")'


class _Probabilities(nn.Module):
    """Computes class probabilities of an image as OpenCV reads it, in whole mode."""

    def __init__(self, model: EncoderDecoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        preprocessor = self.model.data_preprocessor
        size = image.shape[:2]
        channels_first = image.permute(2, 0, 1)
        inputs = padded_for_test(normalize(channels_first, preprocessor), preprocessor)
        meta = dict(img_shape=tuple(inputs.shape[2:]))
        logits = self.model.encode_decode(inputs, [meta])
        return logits[0, :, : size[0], : size[1]].softmax(dim=0)


@contextmanager
def _without_messages_to_developers() -> Iterator[None]:
    """Leave out what PyTorch's exporter says of itself and of torchvision."""
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def export_onnx(
    model: EncoderDecoder,
    path: str | Path,
    size: tuple[int, int],
    progress: bool = False,
) -> float:
    """Export the softmax predictor of a segmentor, and compare it with ONNX Runtime.

    The exported network takes ``image``, (H, W, 3) uint8 BGR as ``cv2.imread`` returns
    it, of one size, and returns ``probabilities``, (C, H, W) float32. It includes
    normalization and padding, and always processes the whole image, regardless of the
    mode in the model's ``test_cfg``.

    Args:
        model: Segmentor that predicts with a classifier, in evaluation mode on the CPU.
        path: File to write.
        size: (H, W).
        progress: Whether PyTorch prints the steps of the export.

    Returns:
        Largest difference of probabilities between PyTorch and ONNX Runtime, for a
        random image.

    Raises:
        ValueError: If the model predicts by retrieval, which needs a bank, or has a
            single output channel, or a side is below 1.
        ImportError: If the ONNX packages are not installed, or PyTorch is too old.
    """
    if getattr(model, 'retrieves', False):
        raise ValueError(
            'only the classifier can be exported: set the predictor to softmax'
        )
    if min(size) < 1:
        raise ValueError(f'size must be (height, width) in pixels, got {size}')
    if model.out_channels < 2:
        raise ValueError(
            'only models with a score for each class can be exported; this one has '
            f'{model.out_channels} output channel'
        )
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  (the exporter needs it)
    except ImportError as error:
        raise ImportError(f'{error}: {_HELP}') from error
    if 'external_data' not in signature(torch.onnx.export).parameters:
        raise ImportError(
            f'ONNX files need PyTorch 2.6 or later, this is {torch.__version__}'
        )
    network = revert_sync_batchnorm(_Probabilities(model)).eval()
    generator = torch.Generator().manual_seed(0)
    channels = len(getattr(model.data_preprocessor, 'mean', (0, 0, 0)))
    image = torch.randint(
        256, (*size, channels), generator=generator, dtype=torch.uint8
    )
    with torch.no_grad(), _without_messages_to_developers():
        expected = network(image)
        torch.onnx.export(
            network,
            (image,),
            str(path),
            input_names=['image'],
            output_names=['probabilities'],
            dynamo=True,
            external_data=False,
            verbose=None if progress else False,  # True prints more than steps
        )
    session = onnxruntime.InferenceSession(
        str(path), providers=['CPUExecutionProvider']
    )
    outputs: Sequence = session.run(None, {'image': image.numpy()})
    return float((torch.from_numpy(outputs[0]) - expected).abs().max())
