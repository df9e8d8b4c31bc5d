"""One step of training: the gradient of a batch, whole or in parts, alone or together with other processes."""

from __future__ import annotations

from torch import Tensor, nn

from bench import device as devices
from bench.detector import Detector
from bench.errors import BenchError
from bench.training.loader import Batch, Runtime
from bench.training.optimiser import Optimiser


class _Loss(nn.Module):
    """The loss of a batch as a module, whose gradients several processes can share."""

    def __init__(self, detector: Detector, model: nn.Module) -> None:
        super().__init__()
        self._detector, self.model = detector, model

    def forward(self, batch: Batch) -> Tensor:
        """The mean loss of the batch's images."""
        return self._detector.loss(self.model, batch)


class Step:
    """Updates a network by the loss of batches; ``micro_batch`` is the most images whose gradient is computed at once.

    Batch norm and losses of pairs of images see the images of one part in one process.
    """

    def __init__(self, detector: Detector, model: nn.Module, optimiser: Optimiser, runtime: Runtime) -> None:
        self._loss = runtime.group.wrapped(_Loss(detector, model))  # A process alone has the module as it is.
        self._optimiser, self._runtime = optimiser, runtime
        self.micro_batch = runtime.micro_batch

    def take(self, batch: Batch, whole: int) -> None:
        """Update the weights by the mean loss of a batch of ``whole`` images, of which this process has a share.

        A batch that does not fit into memory is computed in parts, as are all after it, unless results must not depend
        on memory. Raises BenchError if it does not fit in any case.
        """
        while not self._fits(batch, whole):
            devices.release_memory()
        self._optimiser.update()

    def _fits(self, batch: Batch, whole: int) -> bool:
        """Compute the gradient of a batch; False if it does not fit into memory, and later parts are to be smaller."""
        try:
            self._optimiser.reset()
            self._add_gradients(batch, whole)
        except (RuntimeError, MemoryError) as error:
            if not devices.is_out_of_memory(error):
                raise
            self._make_smaller(len(batch["label"]), error)
            return False
        return True

    def _add_gradients(self, batch: Batch, whole: int) -> None:
        """Add the gradient of a batch.

        Processes average their gradients, and a loss is the mean over its images; the weights make the sum over parts
        and processes the mean over all images.
        """
        count, group = len(batch["label"]), self._runtime.group
        parts = -(-count // self.micro_batch) if self.micro_batch else 1
        cut = {name: tensor.tensor_split(parts) for name, tensor in batch.items()}
        for number in range(parts):
            part = {name: tensors[number] for name, tensors in cut.items()}
            weight = len(part["label"]) * group.size / whole
            with self._runtime.group.apart(self._loss, number < parts - 1):
                with self._runtime.autocast():
                    loss = self._loss(part)
                self._optimiser.add(loss if weight == 1 else loss * weight)

    def _make_smaller(self, count: int, error: Exception) -> None:
        """Halve the parts of later batches, after a batch of ``count`` images did not fit into memory."""
        before = min(self.micro_batch or count, count)
        if self._runtime.exact or self._runtime.group.size > 1 or before == 1:
            raise BenchError(
                f"The gradient of {before} images does not fit into memory.",
                f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}",
                f"Rerun with --micro-batch {max(1, before // 2)}, or free memory.",
            ) from error
        self.micro_batch = -(-before // 2)
        self._runtime.progress.warn(f"out of memory: gradients are computed of {self.micro_batch} images at a time")
