"""Bank of labelled prototypes that retrieval looks up."""

from pathlib import Path
from typing import List, Tuple, Union
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from mmseg_spml.atomic_file import atomic_file
from mmseg_spml.functional.retrieval import class_frequencies, nearest_segments

# What numpy raises for files that are empty, cut short or something else.
_NOT_A_BANK = (ValueError, KeyError, TypeError, OSError, EOFError, BadZipFile)


class SegmentBank:
    """Prototypes ``(B, D)`` and their labels ``(B,)``.

    Args:
        prototypes: Unit vectors, float.
        labels: Class ids, integer.

    Raises:
        ValueError: If the bank is empty or its parts disagree in length.
    """

    def __init__(self, prototypes: Tensor, labels: Tensor) -> None:
        if len(prototypes) != len(labels) or not len(labels):
            raise ValueError(
                'a bank needs as many labels as prototypes, at least one; got '
                f'{len(prototypes)} prototypes and {len(labels)} labels. Are any '
                'pixels of the training images labelled?'
            )
        self.prototypes = prototypes.float()
        self.labels = labels.long()

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> 'SegmentBank':
        """The bank on another device."""
        return SegmentBank(self.prototypes.to(device), self.labels.to(device))

    def class_frequencies(
        self, queries: Tensor, neighbours: int, num_classes: int
    ) -> Tensor:
        """Class frequencies ``(Q, C)`` among the nearest bank prototypes.

        Args:
            queries: Unit vectors ``(Q, D)``.
            neighbours: K; the whole bank if it is smaller.
            num_classes: ``C``.
        """
        neighbours = min(neighbours, len(self))
        nearest = nearest_segments(queries.float(), self.prototypes, neighbours)
        return class_frequencies(self.labels[nearest], num_classes)

    def save(self, path: Union[str, Path]) -> None:
        """Write ``prototypes`` and ``labels`` to an ``.npz`` file, atomically."""
        with atomic_file(path) as file:
            np.savez(
                file,
                prototypes=self.prototypes.cpu().numpy(),
                labels=self.labels.cpu().numpy(),
            )

    @classmethod
    def load(cls, path: Union[str, Path]) -> 'SegmentBank':
        """Read a file of :meth:`save`.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not a bank.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(
                f'no segment bank at {path}; SegmentBankHook(file=...) writes one'
            )
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = file['prototypes'], file['labels']
        except _NOT_A_BANK as error:
            raise ValueError(
                f'{path} is no segment bank: expected an .npz file with arrays '
                f"'prototypes' and 'labels' ({error})"
            ) from error
        return cls(*(torch.from_numpy(array) for array in arrays))

    @classmethod
    def from_parts(cls, parts: List[Tuple[Tensor, Tensor]]) -> 'SegmentBank':
        """Join pairs of prototypes and labels."""
        prototypes, labels = zip(*parts) if parts else ((), ())
        if not parts:
            return cls(torch.empty(0, 0), torch.empty(0))
        return cls(torch.cat(prototypes), torch.cat(labels))
