"""Profile of training iterations: the time of each part of the model."""

import copy
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

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
OPTIMIZER = 'optimizer'
WAITING = 'waiting for the loader'
REST = 'the rest'


@dataclass
class IterationProfile:
    """Time of a training iteration in milliseconds.

    Attributes:
        iterations: Number of profiled iterations.
        plain_ms: Median time of as many iterations before, without the profiler.
        total_ms: Mean time of the profiled iterations, with the profiler's own work.
        forward_ms: Time of the forward pass by part, without the parts within it.
        backward_ms: Time of the backward pass by the part that is differentiated.
    """

    iterations: int
    plain_ms: float
    total_ms: float
    forward_ms: Mapping[str, float]
    backward_ms: Mapping[str, float]

    def markdown(self) -> str:
        """Format a Markdown table of the parts."""
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

    The run has the loader, the optimizer and the hooks of the config. There is no
    validation, and the folder of the run is removed.

    Args:
        config: The config of a training run that counts iterations.
        warm_up: The number of iterations that are not timed.
        iterations: The number of iterations to time without the profiler, and then
            again with it.
        report: A function that is called after each iteration.

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
    # Nothing is sent to the places where the run itself would be logged.
    if 'visualizer' in config:
        config.visualizer.vis_backends = []
    config.setdefault('default_hooks', {})['checkpoint'] = None
    with tempfile.TemporaryDirectory(prefix='profile-') as folder:
        config.work_dir = folder
        runner = Runner.from_cfg(config)
        runner.register_hook(hook)
        with hook.recording:
            runner.train()
    if hook.result is None:
        raise RuntimeError('the training ended before all iterations were profiled')
    return hook.result


class IterationProfileHook(Hook):
    """Time iterations of a run without and then with PyTorch's profiler.

    An operation belongs to the innermost part of the model that called it. An operation
    of the backward pass belongs to the part whose forward pass created it, which is
    found by PyTorch's sequence numbers. Hooks before an iteration count as waiting,
    hooks after it as the rest. The hook is for CPUs: on other devices, the times would
    be those of launching kernels.

    Args:
        warm_up: The number of iterations that are not timed.
        iterations: The number of iterations to time without the profiler, and then
            again with it.
        report: A function that is called after each iteration.

    Attributes:
        recording: A context to train in, which restores the model at its end.
        result: The profile, after ``iterations_needed`` iterations of training.

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
        self._profiler: profile | None = None
        self.result: IterationProfile | None = None

    @property
    def iterations_needed(self) -> int:
        """The number of iterations that the run must have."""
        return self._profile_from + self._iterations

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Add the time that the batch was waited for."""
        if self._profiler is not None:
            self._waited += time.perf_counter() - self._ends[-1]

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Start or end the profile, and record when the iteration ended."""
        done = batch_idx + 1
        self._ends.append(time.perf_counter())
        if done == self._profile_from:
            self.recording.enter_context(_parts_are_recorded(runner.model))
            self._profiler = self.recording.enter_context(
                profile(activities=[ProfilerActivity.CPU])
            )
            self._ends[-1] = time.perf_counter()
        elif done == self.iterations_needed and self._profiler is not None:
            self.recording.close()
            self.result = self._summary(self._profiler.events())
        self._report()

    def _summary(self, events: Iterable[Any]) -> IterationProfile:
        plain = self._ends[self._plain_from - 1 : self._profile_from]
        profiled = self._ends[self._profile_from - 1 :]
        forward, backward = _times_of_parts(events)
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
    """Yield the name, module and method of each part."""
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
    """Make the calls of the parts appear in profiles within the context."""
    parts = list(_parts(model))
    for name, module, method in parts:
        setattr(module, method, _recorded(name, getattr(module, method)))
    try:
        yield
    finally:
        for _, module, method in parts:
            delattr(module, method)  # the method of the class becomes visible again


def _recorded(name: str, function: Callable) -> Callable:
    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with record_function(f'{_PREFIX}{name}'):
            return function(*args, **kwargs)

    return run


def _is_counted(event: Any) -> bool:
    return event.name.startswith((_PREFIX, _NODE))


def _enclosing(event: Any) -> Any:
    """Return the innermost event around another whose time is counted, or None."""
    event = event.cpu_parent
    while event is not None and not _is_counted(event):
        event = event.cpu_parent
    return event


def _part_of(event: Any) -> str:
    """Return the name of the innermost part that an event belongs to."""
    while event is not None and not event.name.startswith(_PREFIX):
        event = event.cpu_parent
    return REST if event is None else event.name[len(_PREFIX) :]


def _times_of_parts(events: Iterable[Any]) -> tuple[dict, dict]:
    """Sum the seconds of the forward and of the backward pass by part."""
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
            # The part lies within another, or is recomputed in the backward pass.
            if (outer := _enclosing(event)) is not None:
                add(outer, -seconds)
        elif event.name.startswith('Optimizer.'):
            forward[OPTIMIZER] += seconds
        elif event.sequence_nr >= 0:
            # Several operations have the same number: the last one created the node.
            part_of_number[event.sequence_nr] = _part_of(event)
    return forward, backward
