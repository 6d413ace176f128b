"""Comparison of the dense CRF with its authors' C++ code: agreement and time."""

import time
from collections.abc import Callable

import cv2
import numpy as np
import torch

from mmseg_spml.functional.refinement.dense_crf import MIN_PROBABILITY, dense_crf


def uncertain_scores(size: tuple, num_classes: int, seed: int) -> torch.Tensor:
    """Draw smooth random class probabilities, (C, H, W) float32.

    Example:
        >>> uncertain_scores((4, 6), 3, seed=0).sum(0).mean()
        tensor(1.)
    """
    noise = np.random.default_rng(seed).random((*size, num_classes))
    smooth = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), 12)
    smooth = smooth.reshape(*size, num_classes)
    return torch.from_numpy(60 * smooth).permute(2, 0, 1).softmax(dim=0).contiguous()


def crf_of_the_authors() -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
    """Return Krähenbühl's C++ code with SPML's settings, None if it is not installed.

    Returns:
        A function of an image, (H, W, 3) uint8, and probabilities, (C, H, W) float32,
        that returns the marginals (C, H, W).
    """
    try:
        import pydensecrf.densecrf as densecrf
    except ImportError:
        return None

    def marginals(image: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        num_classes, height, width = probabilities.shape
        crf = densecrf.DenseCRF2D(width, height, num_classes)
        energy = -np.log(np.clip(probabilities, MIN_PROBABILITY, 1))
        crf.setUnaryEnergy(np.ascontiguousarray(energy.reshape(num_classes, -1)))
        crf.addPairwiseGaussian(sxy=1, compat=3)
        picture = np.ascontiguousarray(image)
        crf.addPairwiseBilateral(sxy=67, srgb=3, rgbim=picture, compat=4)
        return np.array(crf.inference(10)).reshape(probabilities.shape)

    return marginals


def compare_crf(image: np.ndarray, num_classes: int = 21, seed: int = 0) -> dict:
    """Run both CRFs on one image, one after the other, with SPML's settings.

    Args:
        image: (H, W, 3) uint8 RGB.
        num_classes: The number of classes, C.
        seed: The random seed of the scores.

    Returns:
        A dict of ``difference`` (the mean absolute difference of the marginals),
        ``equal`` (the share of pixels with the same label), ``changed`` (the share of
        pixels whose label the CRF changed), ``seconds`` and ``their_seconds``.

    Raises:
        ImportError: pydensecrf2 is not installed.
    """
    their_crf = crf_of_the_authors()
    if their_crf is None:
        raise ImportError('comparing needs the extra "crf": pip install pydensecrf2')
    height, width = image.shape[:2]
    scores = uncertain_scores((height, width), num_classes, seed)
    start = time.perf_counter()
    ours = dense_crf(image, scores).numpy()
    between = time.perf_counter()
    theirs = their_crf(image, scores.numpy())
    end = time.perf_counter()
    labels = theirs.argmax(0)
    return dict(
        difference=float(np.abs(ours - theirs).mean()),
        equal=float((ours.argmax(0) == labels).mean()),
        changed=float((scores.numpy().argmax(0) != labels).mean()),
        seconds=between - start,
        their_seconds=end - between,
    )
