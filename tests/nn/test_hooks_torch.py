"""Hooks of modules and tensors beside PyTorch's: what is called, in which order, with what."""

from __future__ import annotations

from typing import Any

import pytest

import tinytensor as tt

torch = pytest.importorskip("torch")


def shown(value: Any) -> Any:
    """Gradients and arguments as nested lists, so that both libraries' can be compared."""
    if isinstance(value, tuple):
        return tuple(shown(v) for v in value)
    if isinstance(value, dict):
        return {k: shown(v) for k, v in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


class Script:
    """A module, its inputs and a log, for one of the libraries."""

    def __init__(self, lib: Any) -> None:
        class Mix(lib.nn.Module):
            def forward(self, x, factor, y):
                if factor == 0:
                    raise ZeroDivisionError("mix")
                return x * y, (x + y) * factor

        self.lib = lib
        self.module = Mix()
        self.log: list[Any] = []
        self.x, self.y = (lib.tensor([v, v + 1.0], requires_grad=True) for v in (2.0, 5.0))

    def note(self, name: str, returned: Any = None) -> Any:
        def hook(module, *given):
            self.log.append((name, shown(given)))
            return returned(*given) if callable(returned) else returned

        return hook

    def run(self, use_second: bool = True) -> list[Any]:
        product, total = self.module(self.x, 3, self.y)
        loss = product.sum() + (total * total).sum() if use_second else product.sum()
        loss.backward()
        self.log.append((shown(self.x.grad), shown(self.y.grad)))
        return self.log


def both(arrange: Any) -> None:
    logs = []
    for lib in (tt, torch):
        script = Script(lib)
        arrange(script)
        logs.append(script.log)
    assert logs[0] == logs[1]
    assert logs[0]


def test_orders_and_arguments() -> None:
    def arrange(s: Script) -> None:
        s.module.register_forward_pre_hook(s.note("before"))
        s.module.register_forward_pre_hook(s.note("first"), prepend=True)
        s.module.register_forward_pre_hook(s.note("with kwargs"), with_kwargs=True)
        s.module.register_forward_hook(s.note("after"))
        s.module.register_forward_hook(s.note("after, first"), prepend=True, with_kwargs=True)
        s.module.register_full_backward_hook(s.note("backward"))
        s.module.register_full_backward_hook(s.note("backward, first"), prepend=True)
        s.module.register_full_backward_pre_hook(s.note("before backward"))
        s.run()

    both(arrange)


def test_replacements() -> None:
    def arrange(s: Script) -> None:
        s.module.register_forward_pre_hook(lambda m, args: (args[0] * 2, *args[1:]))
        s.module.register_forward_pre_hook(
            lambda m, args, kwargs: (args, {**kwargs}), with_kwargs=True
        )
        s.module.register_forward_hook(lambda m, args, out: (out[0] * 3, out[1]))
        s.module.register_full_backward_pre_hook(
            s.note("before backward", lambda g: (g[0] * 5, g[1]))
        )
        s.module.register_full_backward_hook(
            s.note("backward", lambda gi, go: (gi[0] * 7, None, gi[2]))
        )
        s.run()

    both(arrange)


def test_outputs_without_a_gradient() -> None:
    def arrange(s: Script) -> None:
        s.module.register_full_backward_hook(s.note("backward"))
        s.run(use_second=False)

    both(arrange)


def test_inputs_without_a_gradient() -> None:
    def arrange(s: Script) -> None:
        layer = s.lib.nn.Linear(2, 1)
        layer.register_full_backward_hook(s.note("backward"))
        layer.register_full_backward_pre_hook(s.note("before backward"))
        layer(s.lib.ones((3, 2))).sum().backward()

    both(arrange)


def test_hooks_that_are_always_called() -> None:
    def arrange(s: Script) -> None:
        s.module.register_forward_hook(s.note("sometimes"))
        s.module.register_forward_hook(s.note("always"), always_call=True)
        s.module.register_forward_hook(s.note("kw"), always_call=True, with_kwargs=True)
        with pytest.raises(ZeroDivisionError, match="mix"):
            s.module(s.x, 0, y=s.y)
        s.run()

    both(arrange)


def test_handles() -> None:
    def arrange(s: Script) -> None:
        handles = [
            s.module.register_forward_hook(s.note("after")),
            s.module.register_full_backward_hook(s.note("backward")),
            s.x.register_hook(lambda g: s.log.append(shown(g))),
            s.y.register_hook(lambda g: g * 10),
        ]
        s.run()
        for handle in handles:
            handle.remove()
            handle.remove()
        s.x.grad = s.y.grad = None
        s.run()
        with s.module.register_forward_hook(s.note("in a context")):
            s.run()
        s.run()

    both(arrange)


def test_gradients_of_complex_numbers() -> None:
    def arrange(s: Script) -> None:
        s.x, s.y = (
            s.lib.tensor(v, requires_grad=True) for v in ([1 + 2j, 3 - 1j], [2 - 1j, 1 + 1j])
        )
        s.module.register_full_backward_hook(s.note("backward"))
        product, total = s.module(s.x, 3, s.y)
        s.lib.real(product * s.lib.conj(total)).sum().backward()
        s.log.append(shown(s.x.grad))

    both(arrange)


def test_constants_among_the_outputs_stay_constants() -> None:
    def arrange(s: Script) -> None:
        class WithCounts(s.lib.nn.Module):
            def forward(self, x):
                return x * 2, s.lib.ones(2), s.lib.tensor([1, 2])

        module = WithCounts()
        module.register_full_backward_hook(s.note("backward"))
        outputs = module(s.x)
        s.log.append([o.requires_grad for o in outputs])
        outputs[0].sum().backward()

    both(arrange)


def test_replacements_that_do_not_fit() -> None:
    def arrange(s: Script) -> None:
        s.module.register_full_backward_hook(lambda m, gi, go: gi[:1])
        with pytest.raises((RuntimeError, ValueError), match="hook returned"):
            s.run()
        with (
            s.module.register_forward_pre_hook(lambda m, a, k: a, with_kwargs=True),
            pytest.raises((RuntimeError, TypeError), match=r"(?i)forward pre.hook"),
        ):
            s.run()
        s.log.append("both refused")

    both(arrange)
