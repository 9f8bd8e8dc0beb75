"""Optimizer updates."""

import math

import numpy as np

from .checks import check_lengths

__all__ = [
    "adadelta_step",
    "adagrad_step",
    "adam_step",
    "adamax_step",
    "asgd_step",
    "lion_step",
    "nadam_step",
    "radam_step",
    "rmsprop_step",
    "rprop_step",
    "sgd_step",
]


def descents(params, grads, weight_decay, maximize):
    """Each parameter's place and the gradient to descend: negated with ``maximize``, and then
    ``weight_decay`` times the parameter more."""
    for index, (p, g) in enumerate(zip(params, grads, strict=True)):
        g = -g if maximize else g
        yield index, p, (g + weight_decay * p if weight_decay else g)


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
    for index, p, g in descents(params, grads, weight_decay, maximize):
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
    for index, p, g in descents(params, grads, 0 if decoupled else weight_decay, maximize):
        m, v = exp_avgs[index], exp_avg_sqs[index]
        if decoupled:
            p *= 1 - lr * weight_decay
        m += (1 - beta1) * (g - m)
        v *= beta2
        v += (1 - beta2) * g * g
        if max_exp_avg_sqs is not None:
            v = np.maximum(max_exp_avg_sqs[index], v, out=max_exp_avg_sqs[index])
        p -= step_size * m / (np.sqrt(v) / root_correction + eps)


def adadelta_step(params, grads, square_avgs, acc_deltas, lr, rho, eps, weight_decay, maximize):
    """Update arrays in place by Adadelta (Zeiler 2012)."""
    check_lengths(params, grads, square_avgs, acc_deltas)
    for index, p, g in descents(params, grads, weight_decay, maximize):
        v, d = square_avgs[index], acc_deltas[index]
        v *= rho
        v += (1 - rho) * g * g
        delta = np.sqrt(d + eps) / np.sqrt(v + eps) * g
        d *= rho
        d += (1 - rho) * delta * delta
        p -= lr * delta


def adagrad_step(params, grads, sums, lr, eps, weight_decay, maximize):
    """Update arrays in place by Adagrad (Duchi, Hazan and Singer 2011); ``lr`` has its decay."""
    check_lengths(params, grads, sums)
    for index, p, g in descents(params, grads, weight_decay, maximize):
        sums[index] += g * g
        p -= lr * g / (np.sqrt(sums[index]) + eps)


def adamax_step(
    params, grads, exp_avgs, exp_infs, step, lr, beta1, beta2, eps, weight_decay, maximize
):
    """Update arrays in place by Adamax (Kingma and Ba 2015, section 7.1)."""
    check_lengths(params, grads, exp_avgs, exp_infs)
    step_size = lr / (1 - beta1**step)
    for index, p, g in descents(params, grads, weight_decay, maximize):
        m, u = exp_avgs[index], exp_infs[index]
        m += (1 - beta1) * (g - m)
        np.maximum(beta2 * u, np.abs(g) + eps, out=u)
        p -= step_size * m / u


def asgd_step(params, grads, averages, eta, mu, lambd, weight_decay, maximize):
    """Update arrays in place by averaged SGD (Polyak and Juditsky 1992): a step of the size
    ``eta``, and the average of the parameters moved by the share ``mu``."""
    check_lengths(params, grads, averages)
    for index, p, g in descents(params, grads, weight_decay, maximize):
        a = averages[index]
        p *= 1 - lambd * eta
        p -= eta * g
        a[...] = p if mu == 1 else a + mu * (p - a)


def lion_step(params, grads, exp_avgs, lr, beta1, beta2, weight_decay, maximize):
    """Update arrays in place by Lion (Chen et al. 2023), whose weight decay is decoupled."""
    check_lengths(params, grads, exp_avgs)
    for index, p, g in descents(params, grads, 0, maximize):
        m = exp_avgs[index]
        p *= 1 - lr * weight_decay
        p -= lr * np.sign(m + (1 - beta1) * (g - m))
        m += (1 - beta2) * (g - m)


def nadam_step(
    params, grads, exp_avgs, exp_avg_sqs, step, mu, mu_next, mu_product,
    lr, beta1, beta2, eps, weight_decay, decoupled, maximize,
):  # fmt: skip
    """Update arrays in place by NAdam (Dozat 2016); ``mu_product`` is that of all mu so far."""
    check_lengths(params, grads, exp_avgs, exp_avg_sqs)
    of_g = lr * (1 - mu) / (1 - mu_product)
    of_m = lr * mu_next / (1 - mu_product * mu_next)
    for index, p, g in descents(params, grads, 0 if decoupled else weight_decay, maximize):
        m, v = exp_avgs[index], exp_avg_sqs[index]
        if decoupled:
            p *= 1 - lr * weight_decay
        m += (1 - beta1) * (g - m)
        v *= beta2
        v += (1 - beta2) * g * g
        p -= (of_g * g + of_m * m) / (np.sqrt(v / (1 - beta2**step)) + eps)


def radam_step(
    params, grads, exp_avgs, exp_avg_sqs, step, lr, beta1, beta2, eps,
    weight_decay, decoupled, maximize,
):  # fmt: skip
    """Update arrays in place by RAdam (Liu et al. 2020): as Adam once the variance of its
    denominator is bounded, and then rectified; until then by the mean of the gradients alone."""
    check_lengths(params, grads, exp_avgs, exp_avg_sqs)
    step_size, plain = rectified(step, lr, beta1, beta2)
    for index, p, g in descents(params, grads, 0 if decoupled else weight_decay, maximize):
        m, v = exp_avgs[index], exp_avg_sqs[index]
        if decoupled:
            p *= 1 - lr * weight_decay
        m += (1 - beta1) * (g - m)
        v *= beta2
        v += (1 - beta2) * g * g
        p -= step_size * m if plain else step_size * m / (np.sqrt(v) + eps)


def rectified(step, lr, beta1, beta2):
    """The size of a step of RAdam, and whether the denominator is left out."""
    correction2 = 1 - beta2**step
    most = 2 / (1 - beta2) - 1
    length = most - 2 * step * beta2**step / correction2
    step_size = lr / (1 - beta1**step)
    if length <= 5:
        return step_size, True
    variance = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
    return step_size * math.sqrt(variance) * math.sqrt(correction2), False


def rmsprop_step(
    params, grads, square_avgs, grad_avgs, momentum_buffers,
    lr, alpha, eps, weight_decay, momentum, maximize,
):  # fmt: skip
    """Update arrays in place by RMSprop (Hinton 2012). ``grad_avgs`` is None but where the
    variance takes the place of the mean square, ``momentum_buffers`` but with ``momentum``."""
    check_lengths(params, grads, square_avgs, grad_avgs, momentum_buffers)
    for index, p, g in descents(params, grads, weight_decay, maximize):
        v = square_avgs[index]
        v *= alpha
        v += (1 - alpha) * g * g
        if grad_avgs is not None:
            a = grad_avgs[index]
            a += (1 - alpha) * (g - a)
            v = np.maximum(v - a * a, 0)  # which rounding may bring below 0
        scaled = g / (np.sqrt(v) + eps)
        if momentum_buffers is not None:
            b = momentum_buffers[index]
            b *= momentum
            b += scaled
            scaled = b
        p -= lr * scaled


def rprop_step(params, grads, prevs, step_sizes, shrink, grow, smallest, largest, maximize):
    """Update arrays in place by Rprop (Riedmiller and Braun 1993): the sign of the gradient times
    a size of its own, which shrinks where the sign has changed, and then nothing moves."""
    check_lengths(params, grads, prevs, step_sizes)
    for index, p, g in descents(params, grads, 0, maximize):
        prev, size = prevs[index], step_sizes[index]
        agreement = g * prev
        size *= np.where(agreement > 0, grow, np.where(agreement < 0, shrink, 1)).astype(size.dtype)
        np.clip(size, smallest, largest, out=size)
        prev[...] = np.where(agreement < 0, 0, g)
        p -= np.sign(prev) * size
