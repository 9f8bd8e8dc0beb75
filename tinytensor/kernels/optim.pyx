# cython: cdivision=True
"""Optimizer updates: all float32 parameters in one pass, the rest by the twins in reference/.

The parameters are cut into runs of at most PARAMETER_ELEMENTS; the pieces of the work are sets of
consecutive runs of about that size, so that many small parameters are one piece.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport (
    tt_adam_args, tt_adaptive_args, tt_kernels, tt_lion_args, tt_sgd_args,
)
from tinytensor.kernels.arrays cimport is_f32
from tinytensor.kernels.tuning cimport PARAMETER_ELEMENTS

import math

from tinytensor.kernels import reference
from tinytensor.kernels.reference.optim import rectified

__all__ = [
    "adagrad_step", "adam_step", "lion_step", "nadam_step", "radam_step", "rmsprop_step",
    "sgd_step",
]

cnp.import_array()

cdef enum:
    MOST_STATES = 3
    # The states of tt_adaptive_args, of which an optimizer has some.
    OF_M = 0
    OF_V = 1
    OF_A = 2
    OF_B = 3


# A run of one parameter with its gradient and the optimizer's states.
cdef struct Run:
    float *p
    const float *g
    float *states[MOST_STATES]
    int64_t n


cdef struct Work:
    const tt_kernels *table
    tt_sgd_args sgd
    tt_adam_args adam
    tt_adaptive_args adaptive
    tt_lion_args lion
    int slots[MOST_STATES]  # which of tt_adaptive_args each state is
    Run *runs
    int64_t *first_runs  # where each piece begins; one more than the pieces
    int64_t pieces


# --- Gathering the parameters ----------------------------------------------------------------


cdef bint is_covered(object p, object g, list states, int64_t i) except -1:
    cdef object state
    if not (
        is_f32(p) and cnp.PyArray_ISCARRAY(p) and is_f32(g) and cnp.PyArray_ISCARRAY_RO(g)
        and cnp.PyArray_SAMESHAPE(p, g)
    ):
        return False
    for state_list in states:
        state = state_list[i]
        if not (
            is_f32(state) and cnp.PyArray_ISCARRAY(state) and cnp.PyArray_SAMESHAPE(p, state)
        ):
            return False
    return True


# Cut the parameters into runs and the runs into pieces. Returns the places of those parameters
# that the kernels do not cover.
cdef list cut(Work *work, params, grads, list states):
    cdef int64_t i, count = len(params), most = 0, runs = 0, start, size, waiting = 0
    cdef int s
    cdef list rest = []
    cdef Run *run
    if any([len(arrays) != count for arrays in (grads, *states)]):
        raise ValueError("the lists of parameters, gradients and states differ in length")
    for i in range(count):
        most += getattr(params[i], "size", 0) // PARAMETER_ELEMENTS + 1
    work.table = _core.table
    work.runs = <Run *> malloc(most * sizeof(Run) + 1)
    work.first_runs = <int64_t *> malloc((most + 1) * sizeof(int64_t))
    work.pieces = 0
    if work.runs == NULL or work.first_runs == NULL:
        raise MemoryError
    work.first_runs[0] = 0
    for i in range(count):
        if not is_covered(params[i], grads[i], states, i):
            rest.append(i)
            continue
        size = cnp.PyArray_SIZE(params[i])
        start = 0
        while start < size:
            run = &work.runs[runs]
            run.n = min(size - start, <int64_t> PARAMETER_ELEMENTS)
            run.p = <float *> cnp.PyArray_DATA(params[i]) + start
            run.g = <const float *> cnp.PyArray_DATA(grads[i]) + start
            for s in range(MOST_STATES):
                run.states[s] = NULL
            for s in range(len(states)):
                run.states[s] = <float *> cnp.PyArray_DATA(states[s][i]) + start
            start += run.n
            runs += 1
            waiting += run.n
            if waiting >= PARAMETER_ELEMENTS:
                work.pieces += 1
                work.first_runs[work.pieces] = runs
                waiting = 0
    if waiting:
        work.pieces += 1
        work.first_runs[work.pieces] = runs
    return rest


cdef void release(Work *work) noexcept:
    free(work.runs)
    free(work.first_runs)


cdef list picked(arrays, list places):
    return None if arrays is None else [arrays[i] for i in places]


# --- SGD -------------------------------------------------------------------------------------


cdef void run_sgd(void *context, int64_t piece) noexcept nogil:
    cdef Work *work = <Work *> context
    cdef tt_sgd_args args = work.sgd
    cdef int64_t i
    for i in range(work.first_runs[piece], work.first_runs[piece + 1]):
        args.p, args.g, args.b = work.runs[i].p, work.runs[i].g, work.runs[i].states[0]
        args.n = work.runs[i].n
        work.table.sgd_f32(&args)


def sgd_step(
    params, grads, momentum_buffers, lr, momentum, dampening, weight_decay, nesterov, maximize,
    first,
):
    cdef Work work
    work.runs, work.first_runs = NULL, NULL
    work.sgd.lr = lr
    work.sgd.momentum = momentum
    work.sgd.undamped = 1 - dampening
    work.sgd.weight_decay = weight_decay
    work.sgd.nesterov = nesterov
    work.sgd.maximize = maximize
    work.sgd.first = first
    try:
        rest = cut(&work, params, grads, [momentum_buffers] if momentum else [])
        with nogil:
            _core.parallel_for(work.pieces, run_sgd, &work)
    finally:
        release(&work)
    if rest:
        reference.sgd_step(
            picked(params, rest), picked(grads, rest),
            picked(momentum_buffers, rest) if momentum else None,
            lr, momentum, dampening, weight_decay, nesterov, maximize, first,
        )


# --- Adam ------------------------------------------------------------------------------------


cdef void run_adam(void *context, int64_t piece) noexcept nogil:
    cdef Work *work = <Work *> context
    cdef tt_adam_args args = work.adam
    cdef int64_t i
    for i in range(work.first_runs[piece], work.first_runs[piece + 1]):
        args.p, args.g = work.runs[i].p, work.runs[i].g
        args.m, args.v = work.runs[i].states[0], work.runs[i].states[1]
        args.v_max = work.runs[i].states[2]
        args.n = work.runs[i].n
        work.table.adam_f32(&args)


def adam_step(
    params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, step, lr, beta1, beta2, eps,
    weight_decay, decoupled, maximize,
):
    cdef Work work
    work.runs, work.first_runs = NULL, NULL
    work.adam.one_minus_beta1 = 1 - beta1
    work.adam.beta2 = beta2
    work.adam.one_minus_beta2 = 1 - beta2
    work.adam.eps = eps
    work.adam.step_size = lr / (1 - beta1**step)
    work.adam.root_correction = math.sqrt(1 - beta2**step)
    work.adam.shrink = 1 - lr * weight_decay if decoupled else 1
    work.adam.weight_decay = 0 if decoupled else weight_decay
    work.adam.maximize = maximize
    states = [exp_avgs, exp_avg_sqs]
    if max_exp_avg_sqs is not None:
        states.append(max_exp_avg_sqs)
    try:
        rest = cut(&work, params, grads, states)
        with nogil:
            _core.parallel_for(work.pieces, run_adam, &work)
    finally:
        release(&work)
    if rest:
        reference.adam_step(
            picked(params, rest), picked(grads, rest), picked(exp_avgs, rest),
            picked(exp_avg_sqs, rest), picked(max_exp_avg_sqs, rest), step, lr, beta1, beta2, eps,
            weight_decay, decoupled, maximize,
        )


# --- NAdam, RAdam, Adagrad, RMSprop ----------------------------------------------------------


cdef void run_adaptive(void *context, int64_t piece) noexcept nogil:
    cdef Work *work = <Work *> context
    cdef tt_adaptive_args args = work.adaptive
    cdef float *kept[4]
    cdef int64_t i
    cdef int s
    for i in range(work.first_runs[piece], work.first_runs[piece + 1]):
        for s in range(4):
            kept[s] = NULL
        for s in range(MOST_STATES):
            if work.runs[i].states[s] != NULL:
                kept[work.slots[s]] = work.runs[i].states[s]
        args.m, args.v, args.a, args.b = kept[OF_M], kept[OF_V], kept[OF_A], kept[OF_B]
        args.p, args.g, args.n = work.runs[i].p, work.runs[i].g, work.runs[i].n
        work.table.adaptive_f32(&args)


# Settings that leave out whatever an optimizer does not have.
cdef void begin_adaptive(Work *work, bint maximize, double weight_decay) noexcept:
    work.runs, work.first_runs = NULL, NULL
    work.slots[0], work.slots[1], work.slots[2] = OF_M, OF_V, OF_A
    work.adaptive.one_minus_beta1 = 0
    work.adaptive.keep = work.adaptive.take = 1
    work.adaptive.root_correction = 1
    work.adaptive.eps = 0
    work.adaptive.of_g = work.adaptive.of_m = 0
    work.adaptive.momentum = 0
    work.adaptive.lr = work.adaptive.shrink = 1
    work.adaptive.weight_decay = weight_decay
    work.adaptive.maximize = maximize
    work.adaptive.plain = False


# Run the kernel; returns the places of the parameters that it does not cover.
cdef list move_adaptive(Work *work, params, grads, list states):
    try:
        rest = cut(work, params, grads, states)
        with nogil:
            _core.parallel_for(work.pieces, run_adaptive, work)
    finally:
        release(work)
    return rest


def adagrad_step(params, grads, sums, lr, eps, weight_decay, maximize):
    cdef Work work
    begin_adaptive(&work, maximize, weight_decay)
    work.slots[0], work.slots[1] = OF_V, OF_V
    work.adaptive.of_g = 1
    work.adaptive.lr = lr
    work.adaptive.eps = eps
    rest = move_adaptive(&work, params, grads, [sums])
    if rest:
        reference.adagrad_step(
            picked(params, rest), picked(grads, rest), picked(sums, rest), lr, eps, weight_decay,
            maximize,
        )


def nadam_step(
    params, grads, exp_avgs, exp_avg_sqs, step, mu, mu_next, mu_product,
    lr, beta1, beta2, eps, weight_decay, decoupled, maximize,
):
    cdef Work work
    begin_adaptive(&work, maximize, 0 if decoupled else weight_decay)
    work.adaptive.shrink = 1 - lr * weight_decay if decoupled else 1
    work.adaptive.one_minus_beta1 = 1 - beta1
    work.adaptive.keep, work.adaptive.take = beta2, 1 - beta2
    work.adaptive.root_correction = math.sqrt(1 - beta2**step)
    work.adaptive.eps = eps
    work.adaptive.of_g = lr * (1 - mu) / (1 - mu_product)
    work.adaptive.of_m = lr * mu_next / (1 - mu_product * mu_next)
    rest = move_adaptive(&work, params, grads, [exp_avgs, exp_avg_sqs])
    if rest:
        reference.nadam_step(
            picked(params, rest), picked(grads, rest), picked(exp_avgs, rest),
            picked(exp_avg_sqs, rest), step, mu, mu_next, mu_product, lr, beta1, beta2, eps,
            weight_decay, decoupled, maximize,
        )


def radam_step(
    params, grads, exp_avgs, exp_avg_sqs, step, lr, beta1, beta2, eps,
    weight_decay, decoupled, maximize,
):
    cdef Work work
    begin_adaptive(&work, maximize, 0 if decoupled else weight_decay)
    work.adaptive.shrink = 1 - lr * weight_decay if decoupled else 1
    work.adaptive.one_minus_beta1 = 1 - beta1
    work.adaptive.keep, work.adaptive.take = beta2, 1 - beta2
    work.adaptive.eps = eps
    step_size, work.adaptive.plain = rectified(step, lr, beta1, beta2)
    work.adaptive.of_m = step_size
    rest = move_adaptive(&work, params, grads, [exp_avgs, exp_avg_sqs])
    if rest:
        reference.radam_step(
            picked(params, rest), picked(grads, rest), picked(exp_avgs, rest),
            picked(exp_avg_sqs, rest), step, lr, beta1, beta2, eps, weight_decay, decoupled,
            maximize,
        )


def rmsprop_step(
    params, grads, square_avgs, grad_avgs, momentum_buffers,
    lr, alpha, eps, weight_decay, momentum, maximize,
):
    cdef Work work
    begin_adaptive(&work, maximize, weight_decay)
    work.adaptive.keep, work.adaptive.take = alpha, 1 - alpha
    work.adaptive.eps = eps
    work.adaptive.of_g = 1
    work.adaptive.lr = lr
    work.adaptive.momentum = momentum
    states = [square_avgs]
    work.slots[0] = OF_V
    for slot, some in ((OF_A, grad_avgs), (OF_B, momentum_buffers)):
        if some is not None:
            work.slots[len(states)] = slot
            states.append(some)
    rest = move_adaptive(&work, params, grads, states)
    if rest:
        reference.rmsprop_step(
            picked(params, rest), picked(grads, rest), picked(square_avgs, rest),
            picked(grad_avgs, rest), picked(momentum_buffers, rest), lr, alpha, eps, weight_decay,
            momentum, maximize,
        )


# --- Lion ------------------------------------------------------------------------------------


cdef void run_lion(void *context, int64_t piece) noexcept nogil:
    cdef Work *work = <Work *> context
    cdef tt_lion_args args = work.lion
    cdef int64_t i
    for i in range(work.first_runs[piece], work.first_runs[piece + 1]):
        args.p, args.g, args.m = work.runs[i].p, work.runs[i].g, work.runs[i].states[0]
        args.n = work.runs[i].n
        work.table.lion_f32(&args)


def lion_step(params, grads, exp_avgs, lr, beta1, beta2, weight_decay, maximize):
    cdef Work work
    work.runs, work.first_runs = NULL, NULL
    work.lion.one_minus_beta1 = 1 - beta1
    work.lion.one_minus_beta2 = 1 - beta2
    work.lion.lr = lr
    work.lion.shrink = 1 - lr * weight_decay
    work.lion.maximize = maximize
    try:
        rest = cut(&work, params, grads, [exp_avgs])
        with nogil:
            _core.parallel_for(work.pieces, run_lion, &work)
    finally:
        release(&work)
    if rest:
        reference.lion_step(
            picked(params, rest), picked(grads, rest), picked(exp_avgs, rest), lr, beta1, beta2,
            weight_decay, maximize,
        )
