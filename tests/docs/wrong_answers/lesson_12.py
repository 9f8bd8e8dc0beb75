"""Wrong answers to lesson 12's exercises, each with words of the message that is meant for that."""

import numpy as np

f32 = np.float32


def bounded(pick):
    def bound(operations, bytes_moved, flops, bandwidth):
        times = operations / flops, bytes_moved / bandwidth
        return pick(times), "memory" if times[1] > times[0] else "arithmetic"

    return bound


def vectors(row, lanes, rest, tail=True):
    for c in range(0, len(row) if tail else len(row) // lanes * lanes, lanes):
        v = np.full(lanes, rest, f32)
        v[: len(row) - c] = row[c : c + lanes]
        yield v


def lane_max(rest=-np.inf, tail=True):
    def lane_max(row, lanes):
        best = np.full(lanes, -np.inf, f32)
        for v in vectors(row, lanes, rest, tail):
            best = np.maximum(best, v)
        return best.max()

    return lane_max


def lane_sum(one=False, tail=True, dtype=f32):
    def lane_sum(row, lanes, chains):
        parts = np.zeros((1 if one else chains, lanes), dtype)
        for i, v in enumerate(vectors(row, lanes, 0, tail)):
            parts[i % len(parts)] += v
        return parts.sum(0).sum()

    return lane_sum


def exp32(high=0.693359375, low=-2.12194440e-4, last=0.5, field=False, nan=True):
    def exp32(x):
        y = np.clip(x, f32(-105), f32(90))
        n = np.rint(np.nan_to_num(y) * f32(1.44269504))
        r = y - n * f32(high) - n * f32(low)
        p = f32(0.00139504904)
        for c in (0.0083688898, 0.041666206, 0.166665182, last):
            p = p * r + f32(c)
        q = p * (r * r) + r + f32(1)
        whole = n.astype(np.int32)
        out = q * ((whole + 127) << 23).view(f32) if field else np.ldexp(q, whole)
        return out if nan else np.nan_to_num(out, nan=1.0, posinf=np.inf)

    return exp32


def softmax(walks=2, repair=True, care=True, cut=True):
    def softmax_in_two(row, lanes):
        top, total = np.full(lanes, -np.inf, f32), np.zeros(lanes, f32)
        for c in range(0, len(row), lanes):
            v = row.load(c, lanes, -np.inf)
            new = np.maximum(top, v)
            base = np.where(np.isneginf(new), f32(0), new) if care else new
            total = total * np.exp(top - base) + np.exp(v - base)
            top = new
        if walks == 3:
            [row.load(c, lanes, 0) for c in range(0, len(row), lanes)]
        sum_ = (total * (np.exp(top - top.max()) if repair else 1)).sum()
        walk = range(0, len(row), lanes)
        out = [np.exp(row.load(c, lanes, -np.inf) - top.max()) / sum_ for c in walk]
        return np.concatenate(out)[: len(row) if cut else None]

    return softmax_in_two


WRONG = [
    ("bound", bounded(sum), "were added"),
    ("bound", bounded(min), "through first"),
    ("lane_max", lane_max(rest=0), "zeros"),
    ("lane_max", lane_max(tail=False), "tail left out"),
    ("lane_sum", lane_sum(tail=False), "tail left out"),
    ("lane_sum", lane_sum(one=True), "meet at the end"),
    ("lane_sum", lane_sum(dtype=float), "float64"),
    ("exp32", exp32(high=np.log(2), low=0), "two parts"),
    ("exp32", exp32(last=1 / 3), "polynomial"),
    ("exp32", exp32(field=True), "np.ldexp"),
    ("exp32", exp32(nan=False), "exp(NaN)"),
    ("exp32", lambda x: np.exp(x.astype(float)), "float64"),
    ("softmax_in_two", softmax(walks=3), "three walks"),
    ("softmax_in_two", softmax(repair=False), "its own top"),
    ("softmax_in_two", softmax(care=False), "−inf − (−inf)"),
    ("softmax_in_two", softmax(cut=False), "Cut the tail"),
]
