"""Parameter groups of SPML."""

from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor
from mmseg.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class SPMLOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Sets learning rate and decay by location (backbone or not) and type of parameter.

    ============================  ========================  =======
    parameters                    learning rate             decay
    ============================  ========================  =======
    backbone weights              1                         yes
    backbone biases               ``bias_lr_mult``          no
    all other weights             ``head_lr_mult``          yes
    all other biases              both factors              no
    ============================  ========================  =======

    BN's gamma is a weight and its beta a bias. (MMEngine's ``bias_lr_mult`` skips the
    biases of normalization layers.) The rule applies to *any* backbone: all its
    parameters have factor 1, all others ``head_lr_mult``. Parameters without gradient,
    such as those of ``SPMLSegmentor(frozen_modules=...)``, are in no group.

    Args:
        optim_wrapper_cfg: Config of the optimizer wrapper.
        paramwise_cfg: Dict with ``head_lr_mult`` (default 10) and ``bias_lr_mult``
            (default 2).

    Raises:
        ValueError: If ``paramwise_cfg`` has an unknown key, or the optimizer's config
            has no ``lr``.
    """

    _DEFAULTS = dict(head_lr_mult=10.0, bias_lr_mult=2.0)

    def __init__(
        self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None
    ) -> None:
        given = dict(paramwise_cfg or {})
        unknown = set(given) - set(self._DEFAULTS)
        if unknown:
            raise ValueError(
                f'unknown paramwise_cfg keys {sorted(unknown)}; known are '
                f'{sorted(self._DEFAULTS)}'
            )
        if 'lr' not in optim_wrapper_cfg['optimizer']:
            raise ValueError(
                'SPMLOptimWrapperConstructor needs lr in the config of the optimizer, '
                'which it scales for each group'
            )
        super().__init__(optim_wrapper_cfg, {**self._DEFAULTS, **given})

    def add_params(self, params: list[dict], module: nn.Module, **kwargs: Any) -> None:
        """Append the parameter groups of ``module`` to ``params``."""
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                key = (name.startswith('backbone.'), name.endswith('bias'))
                groups.setdefault(key, []).append(parameter)
        for (in_backbone, is_bias), members in groups.items():
            params.append(self._group(members, in_backbone, is_bias))

    def _group(
        self, members: list[nn.Parameter], in_backbone: bool, is_bias: bool
    ) -> dict:
        options = self.paramwise_cfg
        factor = 1.0 if in_backbone else options['head_lr_mult']
        if not is_bias:
            return dict(params=members, lr=self.base_lr * factor)
        factor *= options['bias_lr_mult']
        return dict(params=members, lr=self.base_lr * factor, weight_decay=0.0)
