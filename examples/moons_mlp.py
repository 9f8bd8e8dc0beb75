"""Two moons, learned by a two-layer perceptron of scalar Values: autograd with nothing hidden."""

import math
import random

from tinytensor.scalar import Value

random.seed(0)


def two_moons(n, noise=0.1):
    """Points on two half circles that reach into each other, and on which of them each lies."""
    points, labels = [], []
    for i in range(n):
        angle, label = random.uniform(0, math.pi), i % 2
        x = 1 - math.cos(angle) if label else math.cos(angle)
        y = 0.5 - math.sin(angle) if label else math.sin(angle)
        points.append((x + random.gauss(0, noise), y + random.gauss(0, noise)))
        labels.append(label)
    return points, labels


HIDDEN = 8
w1 = [[Value(random.gauss(0, 1)) for _ in range(2)] for _ in range(HIDDEN)]
b1 = [Value(0.0) for _ in range(HIDDEN)]
w2 = [Value(random.gauss(0, HIDDEN**-0.5)) for _ in range(HIDDEN)]
b2 = Value(0.0)
parameters = [w for row in w1 for w in row] + b1 + w2 + [b2]


def model(point):
    """The probability that the point lies on moon 1."""
    hidden = [
        (sum(w * x for w, x in zip(row, point, strict=True)) + b).tanh()
        for row, b in zip(w1, b1, strict=True)
    ]
    return (sum(w * h for w, h in zip(w2, hidden, strict=True)) + b2).sigmoid()


def cross_entropy(probability, label):
    return -(probability if label else 1 - probability).log()


def mean(numbers):
    return sum(numbers) / len(numbers)


for step in range(501):
    points, labels = two_moons(20)
    loss = mean([cross_entropy(model(p), label) for p, label in zip(points, labels, strict=True)])
    loss.backward()  # dL/dp for every parameter p, by the chain rule
    for p in parameters:
        p.data -= 1.0 * p.grad.data  # one step down the gradient
        p.zero_grad()
    if step % 50 == 0:
        print(f"step {step:3}   loss {float(loss):.4f}")

points, labels = two_moons(500)
right = mean([(model(p) > 0.5) == label for p, label in zip(points, labels, strict=True)])
print(f"right on {right:.1%} of 500 new points")
