"""Where the time of real training iterations goes, part by part of the model."""

import copy
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Optional

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

from mmseg_spml.engine.launch import fit_batch_to_processes, without_cuda
from mmseg_spml.models import SegmentPoolingNeck, SPMLHead

_PREFIX = 'part: '
_NODE = 'autograd::engine::evaluate_function: '
OPTIMISER = 'optimiser'
WAITING = 'waiting for the loader'
REST = 'the rest'


@dataclass
class IterationProfile:
    """Milliseconds of a training iteration.

    Attributes:
        iterations: How many were profiled.
        plain_ms: Median of as many before them, without the profiler.
        total_ms: Mean of those profiled, with the profiler's own work.
        forward_ms: By part, without the parts within it.
        backward_ms: By the part whose operations are differentiated.
    """

    iterations: int
    plain_ms: float
    total_ms: float
    forward_ms: Mapping[str, float]
    backward_ms: Mapping[str, float]

    def markdown(self) -> str:
        """Table of the parts."""
        lines = ['| | forward ms | backward ms | share |', '|---|---|---|---|']
        for part in dict.fromkeys([*self.forward_ms, *self.backward_ms]):
            forward, backward = self.forward_ms.get(part), self.backward_ms.get(part)
            share = ((forward or 0) + (backward or 0)) / self.total_ms
            texts = ['' if ms is None else f'{ms:.1f}' for ms in (forward, backward)]
            lines.append(f'| {part} | {" | ".join(texts)} | {share:.1%} |')
        return '\n'.join(lines)


def profile_iterations(
    config: Config,
    warm_up: int = 5,
    iterations: int = 20,
    report: Callable[[], Any] = lambda: None,
) -> IterationProfile:
    """Train a config's model for some iterations and time its parts.

    The run is the config's own, with its loader, optimiser and hooks; it is not
    validated and its folder is removed.

    Args:
        config: Of a training run that counts iterations.
        warm_up: Iterations that are not timed.
        iterations: How many to time plainly, and then as many with the profiler.
        report: Called after each iteration.

    Raises:
        ValueError: ``warm_up`` or ``iterations`` is below 1, or training would use
            another device than the CPU.
    """
    device = get_device()
    if device != 'cpu':
        raise ValueError(
            f'iterations are profiled on a CPU, but training would use {device}: hide '
            'it (CUDA: set CUDA_VISIBLE_DEVICES to nothing)'
        )
    hook = IterationProfileHook(warm_up, iterations, report)
    config = copy.deepcopy(config)
    without_cuda(config)
    fit_batch_to_processes(config, 1)
    config.train_cfg = dict(
        type='IterBasedTrainLoop', max_iters=hook.iterations_needed, val_interval=10**9
    )
    for name in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            config[f'{name}_{part}'] = None
    config.log_level = 'WARNING'
    config.resume = False
    # Nothing is sent to where the run itself would be logged.
    if 'visualizer' in config:
        config.visualizer.vis_backends = []
    config.setdefault('default_hooks', {})['checkpoint'] = None
    with tempfile.TemporaryDirectory(prefix='profile-') as folder:
        config.work_dir = folder
        runner = Runner.from_cfg(config)
        runner.register_hook(hook)
        with hook.recording:
            runner.train()
    return hook.result


class IterationProfileHook(Hook):
    """Time iterations of a run: some plainly, then as many under PyTorch's profiler.

    Operations belong to the innermost part of the model that called them, those of the
    backward pass to the part whose forward pass made them, which PyTorch numbers. Hooks
    before an iteration count as waiting, those after it to the rest. On a CPU alone:
    elsewhere these would be the times of launches.

    Args:
        warm_up: Iterations that are not timed.
        iterations: How many to time plainly, and how many to profile.
        report: Called after each iteration.

    Attributes:
        recording: A context to train in; on leaving it the model is as it was.
        result: The profile, once ``iterations_needed`` iterations were trained.

    Raises:
        ValueError: A number of iterations is below 1.
    """

    priority = 'LOWEST'

    def __init__(
        self, warm_up: int, iterations: int, report: Callable[[], Any] = lambda: None
    ) -> None:
        if warm_up < 1 or iterations < 1:
            raise ValueError(
                'expected warm_up and iterations of 1 or more, got '
                f'{warm_up} and {iterations}'
            )
        self._plain_from = warm_up
        self._profile_from = warm_up + iterations
        self._iterations = iterations
        self._report = report
        self.recording = ExitStack()
        self._ends: list[float] = []
        self._waited = 0.0
        self._profiler: Optional[profile] = None
        self.result: Optional[IterationProfile] = None

    @property
    def iterations_needed(self) -> int:
        """Iterations of a run that is profiled."""
        return self._profile_from + self._iterations

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Count how long the batch was waited for."""
        if self._profiler is not None:
            self._waited += time.perf_counter() - self._ends[-1]

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Begin or end the profile, and note when the iteration ended."""
        done = batch_idx + 1
        self._ends.append(time.perf_counter())
        if done == self._profile_from:
            self.recording.enter_context(_parts_are_recorded(runner.model))
            self._profiler = self.recording.enter_context(
                profile(activities=[ProfilerActivity.CPU])
            )
            self._ends[-1] = time.perf_counter()
        elif done == self.iterations_needed:
            self.recording.close()
            self.result = self._summary()
        self._report()

    def _summary(self) -> IterationProfile:
        plain = self._ends[self._plain_from - 1 : self._profile_from]
        profiled = self._ends[self._profile_from - 1 :]
        forward, backward = _times_of_parts(self._profiler.events())
        forward[WAITING] = self._waited
        total = profiled[-1] - profiled[0]
        forward[REST] += total - sum(forward.values()) - sum(backward.values())

        def per_iteration(seconds: float) -> float:
            return 1e3 * seconds / self._iterations

        return IterationProfile(
            self._iterations,
            1e3 * statistics.median(b - a for a, b in zip(plain, plain[1:])),
            per_iteration(total),
            {part: per_iteration(seconds) for part, seconds in forward.items()},
            {part: per_iteration(seconds) for part, seconds in backward.items()},
        )


def _parts(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Name, module and method of the parts."""
    for name, module in model.named_modules():
        if isinstance(module, BaseDecodeHead):
            yield name, module, 'loss'
        elif isinstance(module, SegmentPoolingNeck):
            yield name, module, 'forward'
            yield f'{name}: segments', module, 'pool'
        elif name and '.' not in name:
            yield name, module, 'forward'
        if isinstance(module, SPMLHead):
            yield f'{name}: classifier', module.classifier, 'forward'
            for relation in module.relations:
                yield f'{name}: {relation.loss_name}', relation, 'forward'


@contextmanager
def _parts_are_recorded(model: nn.Module) -> Iterator[None]:
    """Within, calls of the parts appear in profiles."""
    parts = list(_parts(model))
    for name, module, method in parts:
        setattr(module, method, _recorded(name, getattr(module, method)))
    try:
        yield
    finally:
        for _, module, method in parts:
            delattr(module, method)  # the class's own appears again


def _recorded(name: str, function: Callable) -> Callable:
    @wraps(function)
    def run(*args, **kwargs):
        with record_function(f'{_PREFIX}{name}'):
            return function(*args, **kwargs)

    return run


def _is_counted(event: Any) -> bool:
    return event.name.startswith((_PREFIX, _NODE))


def _enclosing(event: Any) -> Any:
    """The innermost event around another whose time is counted; None: there is none."""
    event = event.cpu_parent
    while event is not None and not _is_counted(event):
        event = event.cpu_parent
    return event


def _part_of(event: Any) -> str:
    """The innermost part that an event happened in."""
    while event is not None and not event.name.startswith(_PREFIX):
        event = event.cpu_parent
    return REST if event is None else event.name[len(_PREFIX) :]


def _times_of_parts(events: Iterable[Any]) -> tuple[dict, dict]:
    """Seconds of the forward and of the backward pass, by part."""
    forward: dict[str, float] = defaultdict(float)
    backward: dict[str, float] = defaultdict(float)
    part_of_number: dict[int, str] = {}

    def add(event: Any, seconds: float) -> None:
        if event.name.startswith(_PREFIX):
            forward[_part_of(event)] += seconds
        else:
            backward[part_of_number.get(event.sequence_nr, REST)] += seconds

    for event in sorted(events, key=lambda event: event.time_range.start):
        seconds = 1e-6 * event.time_range.elapsed_us()
        if _is_counted(event):
            add(event, seconds)
            # a part within another, or computed again in the backward pass
            if (outer := _enclosing(event)) is not None:
                add(outer, -seconds)
        elif event.name.startswith('Optimizer.'):
            forward[OPTIMISER] += seconds
        elif event.sequence_nr >= 0:
            # Several operations see a number; the last of them made the node.
            part_of_number[event.sequence_nr] = _part_of(event)
    return forward, backward
