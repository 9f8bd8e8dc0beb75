"""Wrong answers to lesson 9's exercises, each with words of the message that is meant for that."""

import tinytensor as tt
from tinytensor.nn import functional as F


def step(change, recorded=False):
    def sgd_step(parameters, lr):
        with tt.set_grad_enabled(recorded):
            for p in parameters:
                change(p, lr)

    return sgd_step


def rebound(p, lr):
    if p.grad is not None:
        p = p - lr * p.grad


def in_place(sign):
    def change(p, lr):
        if p.grad is not None:
            p += sign * lr * p.grad

    return change


def without_care(p, lr):
    p -= lr * p.grad


def log_of_softmax(logits, labels):
    p = tt.exp(logits) / tt.exp(logits).sum(1, keepdims=True)
    return -tt.log(p[tt.arange(len(labels)), labels]).mean()


def accuracy(eval=True, graph=False, back=True):
    def accuracy_of(model, x, y):
        training = model.training
        if eval:
            model.eval()
        with tt.set_grad_enabled(graph):
            right = (model(x).argmax(-1) == y).numpy().mean()
        model.train(training if back else True)
        return float(right)

    return accuracy_of


def momentum(old=False, plain=False):
    def momentum_step(parameters, velocities, lr, momentum):
        with tt.no_grad():
            for p, v in zip(parameters, velocities, strict=True):
                before = v.clone()
                v *= momentum
                v += p.grad
                p -= lr * (p.grad if plain else before if old else v)

    return momentum_step


def training(turned=False, zero=True, kept=False, recorded=True):
    def mended_training(model, x, y, steps):
        optimizer = tt.optim.SGD(model.parameters(), lr=0.5)
        losses = []
        for _ in range(steps):
            with tt.set_grad_enabled(recorded):
                logits = model(x)
            loss = F.cross_entropy(logits.T if turned else logits, y)
            if zero:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss if kept else loss.item())
        return losses

    return mended_training


WRONG = [
    ("sgd_step", step(in_place(-1), recorded=True), "no_grad"),
    ("sgd_step", step(without_care), "its grad is None"),
    ("sgd_step", step(rebound), "gives it the name"),
    ("sgd_step", step(in_place(+1)), "up the hill"),
    ("cross_entropy", log_of_softmax, "At logits of 1000"),
    ("cross_entropy", lambda x, y: F.cross_entropy(x, y) * len(x), "sum over the rows"),
    ("cross_entropy", lambda x, y: -F.cross_entropy(x, y), "sign is turned"),
    ("cross_entropy", lambda x, y: F.cross_entropy(x.detach(), y), "has no graph"),
    ("accuracy_of", accuracy(eval=False), "training mode"),
    ("accuracy_of", accuracy(graph=True), "for nothing"),
    ("accuracy_of", accuracy(back=False), "leave it as it was"),
    ("momentum_step", momentum(old=True), "old velocity"),
    ("momentum_step", momentum(plain=True), "gradient moved p"),
    ("mended_training", training(recorded=False), "no graph"),
    ("mended_training", training(kept=True), "holds tensors"),
    ("mended_training", training(turned=True), "The rows of the logits"),
    ("mended_training", training(zero=False), "add up from step to step"),
]
