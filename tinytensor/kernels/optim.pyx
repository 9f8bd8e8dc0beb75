# cython: cdivision=True
"""Optimizer updates: all float32 parameters in one pass, the rest by the twins in reference/.

The parameters are cut into runs of at most PARAMETER_ELEMENTS; the pieces of the work are sets of
consecutive runs of about that size, so that many small parameters are one piece.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from tinytensor.kernels cimport _core
from tinytensor.kernels.abi cimport tt_adam_args, tt_kernels, tt_sgd_args
from tinytensor.kernels.arrays cimport is_f32
from tinytensor.kernels.tuning cimport PARAMETER_ELEMENTS

import math

from tinytensor.kernels import reference

__all__ = ["adam_step", "sgd_step"]

cnp.import_array()

cdef enum:
    MOST_STATES = 3


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
