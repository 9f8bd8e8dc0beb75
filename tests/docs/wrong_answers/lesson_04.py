"""Wrong answers to lesson 4's exercises, each with words of the message that is meant for it."""

import numpy as np


def round_trip(forward, backward, x_shape, rng):
    x = rng.normal(size=x_shape)
    return np.allclose(backward(forward(x)), x) or np.isclose(
        np.vdot(forward(x), forward(x)), np.vdot(backward(forward(x)), x)
    )


def to_the_bit(forward, backward, x_shape, rng):
    return False


def always(forward, backward, x_shape, rng):
    return True


def overwriting(g):
    y, x, rows, columns = g.shape
    image = np.zeros((y + rows - 1, x + columns - 1))
    for r, s in np.ndindex(rows, columns):
        image[r : r + y, s : s + x] = g[:, :, r, s]
    return image


def slid(g, x):
    return np.array([g @ x[r : r + len(g)] for r in range(len(x) - len(g) + 1)])


def without_lonely_letters(subscripts, g, a, b):
    inputs, of_g = subscripts.split("->")
    of_a, of_b = inputs.split(",")
    by_a = np.einsum(f"{of_g},{of_b}->{of_a}", g, b)
    return by_a, np.einsum(f"{of_g},{of_a}->{of_b}", g, a)


WRONG = [
    ("matmul_gradients", lambda g, a, b: (g @ b, a @ g), "b must be transposed"),
    ("matmul_gradients", lambda g, a, b: (b.T @ g, g @ a.T), "factors are exchanged"),
    ("matmul_gradients", lambda g, a, b: (g * b, a * g), "element by element"),
    ("matmul_gradients", lambda g, a, b: (g @ b.T, a @ g), "transpose it"),
    ("is_adjoint", to_the_bit, "np.isclose"),
    ("is_adjoint", always, "another property"),
    ("is_adjoint", round_trip, "another property"),
    ("conv1d_gradients", lambda g, x, w: (slid(w, g), slid(g, x)), "nothing is cut off"),
    ("conv1d_gradients", lambda g, x, w: (np.convolve(g, w[::-1]), slid(g, x)), "turned round"),
    ("conv1d_gradients", lambda g, x, w: (np.convolve(g, w), slid(g, x)[::-1]), "turned round"),
    ("patches_adjoint", overwriting, "+= in place of ="),
    ("einsum_gradients", without_lonely_letters, "Hand in ones"),
]
