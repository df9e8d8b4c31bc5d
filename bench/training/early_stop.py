"""Early stopping as in the CNNDetection family."""

from __future__ import annotations

from bench.detector import Plateau


class EarlyStop:
    """Early stopping as in the CNNDetection family: a state machine over validation accuracies in 0…1, or minus losses.

    PeterWang512/CNNDetection@ea0b562:earlystop.py, train.py. One difference: a new stage keeps the best accuracy so
    far. The official code forgets it and overwrites the best checkpoint with a worse epoch.
    """

    def __init__(self, rule: Plateau, lr: float) -> None:
        self.rule, self.lr, self.best, self.waited, self.stage = rule, lr, float("-inf"), 0, 0

    def step(self, accuracy: float) -> bool:
        """Record an epoch's accuracy; returns whether it improved enough to be kept as the best. May lower ``lr``."""
        if accuracy >= self.best + self.rule.gains[min(self.stage, 1)]:
            self.best, self.waited = accuracy, 0
            return True
        self.waited += 1
        if self.waited >= self.rule.patience:
            self.lr, self.waited, self.stage = self.lr * self.rule.factor, 0, self.stage + 1
        return False

    @property
    def stopped(self) -> bool:
        """Whether the learning rate has fallen below its minimum."""
        return self.lr < self.rule.min_lr * (1 - 1e-6)
