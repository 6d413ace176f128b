"""Bank of labeled segment prototypes for retrieval."""

import logging
from pathlib import Path

import torch
from mmengine.logging import print_log
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mmseg_spml.functional.segments.retrieval import class_frequencies, nearest_segments
from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.folder_lock import one_at_a_time

FULL_MASKS = 'full masks'
"""Origin of a bank with full supervision."""


class SegmentBank:
    """Prototypes ``(B, D)`` and their labels ``(B,)``.

    Args:
        prototypes: Unit vectors, float.
        labels: Class ids, integer.
        origin: Source of the labels, such as ``'weak labels'`` or ``'full masks'``.

    Raises:
        ValueError: If the bank is empty, or the lengths of its parts differ.
    """

    def __init__(
        self, prototypes: Tensor, labels: Tensor, origin: str = 'weak labels'
    ) -> None:
        if len(prototypes) != len(labels) or not len(labels):
            raise ValueError(
                'a bank needs as many labels as prototypes, at least one; got '
                f'{len(prototypes)} prototypes and {len(labels)} labels. Are any '
                'pixels of the training images labeled?'
            )
        self.prototypes = prototypes.float()
        self.labels = labels.long()
        self.origin = origin

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> 'SegmentBank':
        """Copy the bank to a device."""
        return SegmentBank(
            self.prototypes.to(device), self.labels.to(device), self.origin
        )

    def class_frequencies(
        self,
        queries: Tensor,
        neighbors: int,
        num_classes: int,
        backend: str = 'torch',
    ) -> Tensor:
        """Class frequencies ``(Q, C)`` among the nearest bank prototypes.

        Args:
            queries: Unit vectors ``(Q, D)``.
            neighbors: Number of neighbors K, at most the size of the bank.
            num_classes: ``C``.
            backend: See
                :func:`~mmseg_spml.functional.segments.retrieval.nearest_segments`.
        """
        neighbors = min(neighbors, len(self))
        nearest = nearest_segments(queries.float(), self.prototypes, neighbors, backend)
        return class_frequencies(self.labels[nearest], num_classes)

    def check_fit(self, origin: str, dimension: int) -> None:
        """Check that a bank of this origin and embedding dimension may be appended.

        Raises:
            ValueError: If the origins or the dimensions differ.
        """
        own = (self.origin, self.prototypes.shape[1])
        if own != (origin, dimension):
            raise ValueError(
                'banks that are joined must have one origin and one embedding: the '
                f'file is of {own[0]} in {own[1]} dimensions, the addition of {origin} '
                f'in {dimension}'
            )

    def save(self, path: str | Path, append: bool = False) -> None:
        """Write a ``.safetensors`` file atomically.

        Args:
            path: File to write.
            append: Whether to append to the bank in the file. Several processes may
                do so at once.

        Raises:
            FileNotFoundError: If ``append`` is set and the file does not exist.
            ValueError: If ``append`` is set and the file is not a bank, or a bank of
                another origin or embedding dimension.
        """
        if append:
            SegmentBank.load(path)  # raises an error before anything is made
            with one_at_a_time(path):
                before = SegmentBank.load(path)
                before.check_fit(self.origin, self.prototypes.shape[1])
                SegmentBank.join([before, self]).save(path)
            return
        tensors = dict(
            prototypes=self.prototypes.cpu().contiguous(), labels=self.labels.cpu()
        )
        content = save(tensors, metadata=dict(origin=self.origin))
        with atomic_file(path) as file:
            file.write(content)

    @classmethod
    def load(cls, path: str | Path) -> 'SegmentBank':
        """Load a file of :meth:`save` as a memory map.

        Pages are read on demand and shared by all processes of a machine.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If the file is not a bank.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(
                f'no segment bank at {path}; mmseg-spml bank writes one'
            )
        try:
            with safe_open(path, framework='pt') as file:
                tensors = file.get_tensor('prototypes'), file.get_tensor('labels')
                origin = file.metadata()['origin']
        except (SafetensorError, KeyError, TypeError) as error:
            raise ValueError(
                f'{path} is no segment bank: expected a file of safetensors with '
                f"'prototypes', 'labels' and their 'origin' ({error})"
            ) from error
        _check_shapes(*tensors, path)
        return cls(*tensors, origin)

    @classmethod
    def join(cls, banks: list['SegmentBank']) -> 'SegmentBank':
        """Join at least one bank of the same origin and embedding."""
        return cls(
            torch.cat([bank.prototypes for bank in banks]),
            torch.cat([bank.labels for bank in banks]),
            banks[0].origin,
        )

    @classmethod
    def from_parts(
        cls, parts: list[tuple[Tensor, Tensor]], origin: str = 'weak labels'
    ) -> 'SegmentBank':
        """Build a bank from pairs of prototypes and labels."""
        if not parts:
            return cls(torch.empty(0, 0), torch.empty(0))
        prototypes, labels = zip(*parts)
        return cls(torch.cat(prototypes), torch.cat(labels), origin)


def _check_shapes(prototypes: Tensor, labels: Tensor, path: str | Path) -> None:
    matrix = prototypes.ndim == 2 and prototypes.shape[1] > 0
    integers = not labels.is_floating_point() and labels.ndim == 1
    fit = len(prototypes) == len(labels) > 0
    if not (matrix and integers and fit and prototypes.is_floating_point()):
        raise ValueError(
            f'{path} is no segment bank: expected float prototypes (B, D) and integer '
            f'labels (B,), B > 0, got {prototypes.dtype} {list(prototypes.shape)} and '
            f'{labels.dtype} {list(labels.shape)}'
        )


def bank_of_file(path: str | Path | None, num_classes: int) -> SegmentBank:
    """Load the bank that a config names.

    Args:
        path: The file, or None if the config names none.
        num_classes: C of the head that asks.

    Raises:
        ValueError: If there is no file, or the bank is damaged or has more classes than
            the head.
    """
    if path is None:
        raise ValueError(
            "predictor='retrieval' needs a bank of labeled segments: add "
            'SegmentBankHook to custom_hooks, or name a file of it in '
            'decode_head.retrieval.bank'
        )
    bank = SegmentBank.load(Path(path))
    wrong = int(bank.prototypes.isfinite().all(dim=1).logical_not().sum())
    if wrong or bank.labels.min() < 0:
        raise ValueError(
            f'the bank {path} is damaged: {wrong} of its {len(bank)} prototypes are '
            f'not finite, its least class is {int(bank.labels.min())}. Write it anew '
            'by mmseg-spml bank'
        )
    largest = int(bank.labels.max())
    if largest >= num_classes:
        raise ValueError(
            f'the bank {path} has the class {largest}, the head {num_classes} classes: '
            'it was built for another data set'
        )
    if bank.origin == FULL_MASKS:
        print_log(
            'the retrieval bank was labeled by full masks: what it predicts is not '
            'weakly supervised',
            logger='current',
            level=logging.WARNING,
        )
    return bank
