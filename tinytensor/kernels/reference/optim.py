"""Optimizer updates."""

import math

import numpy as np

from .checks import check_lengths

__all__ = ["adam_step", "sgd_step"]


def sgd_step(
    params,
    grads,
    momentum_buffers,
    lr,
    momentum,
    dampening,
    weight_decay,
    nesterov,
    maximize,
    first,
):
    """Update arrays in place: ``b = momentum * b + (1 - dampening) * g``, ``p -= lr * b``.

    ``first``: the momentum buffers hold nothing yet and start as the gradients.
    """
    check_lengths(params, grads, momentum_buffers)
    for index, (p, g) in enumerate(zip(params, grads, strict=True)):
        g = -g if maximize else g
        if weight_decay:
            g = g + weight_decay * p
        if momentum:
            b = momentum_buffers[index]
            b[...] = g if first else momentum * b + (1 - dampening) * g
            g = g + momentum * b if nesterov else b
        p -= lr * g


def adam_step(
    params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, step,
    lr, beta1, beta2, eps, weight_decay, decoupled, maximize,
):  # fmt: skip
    """Update arrays in place by Adam (Kingma & Ba 2015), or AdamW if the decay is ``decoupled``.

    ``max_exp_avg_sqs`` is None but for AMSGrad; ``step`` counts from 1.
    """
    check_lengths(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs)
    step_size = lr / (1 - beta1**step)
    root_correction = math.sqrt(1 - beta2**step)
    for index, (p, g) in enumerate(zip(params, grads, strict=True)):
        m, v = exp_avgs[index], exp_avg_sqs[index]
        g = -g if maximize else g
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = g + weight_decay * p
        m += (1 - beta1) * (g - m)
        v *= beta2
        v += (1 - beta2) * g * g
        if max_exp_avg_sqs is not None:
            v = np.maximum(max_exp_avg_sqs[index], v, out=max_exp_avg_sqs[index])
        p -= step_size * m / (np.sqrt(v) / root_correction + eps)
