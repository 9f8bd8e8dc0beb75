"""Dropout, and the random numbers that it takes."""

import numpy as np

__all__ = ["dropout", "philox"]


def philox(key, counters):
    """Philox4x32-10 (Salmon et al. 2011): 4 random 32-bit words for each 64-bit counter.

    A pure function of the 64-bit key and the counter, so that any part of the stream can be made
    on any thread, and made again in backward. Returns uint32 of shape (len(counters), 4).
    """
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    c = [counters & low, counters >> shift, np.zeros_like(counters), np.zeros_like(counters)]
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [b >> shift ^ c[1] ^ np.uint64(k0), b & low, a >> shift ^ c[3] ^ np.uint64(k1), a & low]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, axis=-1).astype(np.uint32)


def dropout(x, p, key):
    """Zero each element with probability ``p`` and scale the rest by 1 / (1 - p).

    Element i (in C order) is kept if word i of the Philox stream of ``key`` is at least p * 2³².
    """
    words = philox(key, np.arange(-(-x.size // 4), dtype=np.uint64)).reshape(-1)[: x.size]
    kept = (words >= np.uint64(np.rint(p * 2**32))).reshape(x.shape)
    return np.where(kept, x * x.dtype.type(1 / (1 - p) if p < 1 else 0), x.dtype.type(0))
