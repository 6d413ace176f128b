"""Bank of labelled prototypes that retrieval looks up."""

from pathlib import Path
from typing import List, Tuple, Union

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mmseg_spml.atomic_file import atomic_file
from mmseg_spml.functional.retrieval import class_frequencies, nearest_segments

FULL_MASKS = 'full masks'
"""Origin of a bank with which scores are not weakly supervised."""


class SegmentBank:
    """Prototypes ``(B, D)`` and their labels ``(B,)``.

    Args:
        prototypes: Unit vectors, float.
        labels: Class ids, integer.
        origin: Where the labels come from, such as 'weak labels' or 'full masks'.

    Raises:
        ValueError: If the bank is empty or its parts disagree in length.
    """

    def __init__(
        self, prototypes: Tensor, labels: Tensor, origin: str = 'weak labels'
    ) -> None:
        if len(prototypes) != len(labels) or not len(labels):
            raise ValueError(
                'a bank needs as many labels as prototypes, at least one; got '
                f'{len(prototypes)} prototypes and {len(labels)} labels. Are any '
                'pixels of the training images labelled?'
            )
        self.prototypes = prototypes.float()
        self.labels = labels.long()
        self.origin = origin

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> 'SegmentBank':
        """The bank on another device."""
        return SegmentBank(
            self.prototypes.to(device), self.labels.to(device), self.origin
        )

    def class_frequencies(
        self,
        queries: Tensor,
        neighbours: int,
        num_classes: int,
        backend: str = 'torch',
    ) -> Tensor:
        """Class frequencies ``(Q, C)`` among the nearest bank prototypes.

        Args:
            queries: Unit vectors ``(Q, D)``.
            neighbours: K; the whole bank if it is smaller.
            num_classes: ``C``.
            backend: Of :func:`~mmseg_spml.functional.retrieval.nearest_segments`.
        """
        neighbours = min(neighbours, len(self))
        nearest = nearest_segments(
            queries.float(), self.prototypes, neighbours, backend
        )
        return class_frequencies(self.labels[nearest], num_classes)

    def check_fit(self, origin: str, dimension: int) -> None:
        """Whether another bank may be appended.

        Raises:
            ValueError: If its origin or embedding is another.
        """
        own = (self.origin, self.prototypes.shape[1])
        if own != (origin, dimension):
            raise ValueError(
                'banks that are joined must have one origin and one embedding: the '
                f'file is of {own[0]} in {own[1]} dimensions, the addition of {origin} '
                f'in {dimension}'
            )

    def save(self, path: Union[str, Path], append: bool = False) -> None:
        """Write a ``.safetensors`` file, whole or not at all.

        Args:
            path: The file.
            append: Whether to keep what is in it.

        Raises:
            FileNotFoundError: If ``append`` and there is no such file.
            ValueError: If ``append`` and it is no bank, or one of another origin or
                embedding.
        """
        bank = self
        if append:
            before = SegmentBank.load(path)
            before.check_fit(self.origin, self.prototypes.shape[1])
            bank = SegmentBank.join([before, self])
        tensors = dict(
            prototypes=bank.prototypes.cpu().contiguous(), labels=bank.labels.cpu()
        )
        content = save(tensors, metadata=dict(origin=self.origin))
        with atomic_file(path) as file:
            file.write(content)

    @classmethod
    def load(cls, path: Union[str, Path]) -> 'SegmentBank':
        """Map a file of :meth:`save` into memory.

        Its pages are read when they are needed and shared by all processes of a
        machine.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not a bank.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(
                f'no segment bank at {path}; tools/make_bank.py writes one'
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
        return cls(*tensors, origin)

    @classmethod
    def join(cls, banks: List['SegmentBank']) -> 'SegmentBank':
        """One bank of several that fit each other, at least one."""
        return cls(
            torch.cat([bank.prototypes for bank in banks]),
            torch.cat([bank.labels for bank in banks]),
            banks[0].origin,
        )

    @classmethod
    def from_parts(
        cls, parts: List[Tuple[Tensor, Tensor]], origin: str = 'weak labels'
    ) -> 'SegmentBank':
        """Bank of pairs of prototypes and labels."""
        if not parts:
            return cls(torch.empty(0, 0), torch.empty(0))
        prototypes, labels = zip(*parts)
        return cls(torch.cat(prototypes), torch.cat(labels), origin)
