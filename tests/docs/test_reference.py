"""The reference: every public name is on a page, and every op with its rules on that of all ops."""

from __future__ import annotations

from importlib import import_module

import pytest

from tinytensor.engine.operation import Op
from tools.website import op_page, public

from ..table import calls

pytestmark = pytest.mark.no_c


def test_every_public_name_is_documented() -> None:
    assert not public.missing(), "docs/reference/ lacks them"


def test_what_pages_name_exists() -> None:
    for path in public.directives():
        module, _, name = path.rpartition(".")
        assert path in public.modules() or hasattr(import_module(module), name), path


def test_every_op_is_on_the_page_of_ops() -> None:
    page = op_page.text()
    listed = [one for of_module in op_page.declared().values() for one in of_module]
    assert not {id(op) for op in calls.public_ops().values()} - {id(one.op) for one in listed}
    for one in listed:
        assert f"\n### {one.name} {{#{one.anchor}}}\n" in page
    assert op_page.PLACE in (public.REFERENCE / "ops.md").read_text("utf-8")


def entry(name: str) -> tuple[Op, str]:
    """A public op, and what the page says of it."""
    of_modules = op_page.declared().values()
    (one,) = (one for some in of_modules for one in some if one.name == name)
    return one.op, op_page.entry(one)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("exp", ["exp.grad(x=lambda g, out: g * out)", "**saves** `out`", "`exp`", "elementwise"]),
        (
            "where",  # a derivative of zero, and two lambdas
            [
                "    condition=None,\n    a=lambda g, condition: where(condition, g, 0.0),\n",
                "**saves** nothing for `condition`; `condition` for `a`, `b`",
            ],
        ),
        (
            "matmul",  # functions by name
            [
                "matmul.grad(\n    a=matmul_grad_a,\n    b=matmul_grad_b,\n)",
                "\ndef matmul_grad_a(g, b):\n    if b.ndim == 1:\n",
                "`b` for `a`; `a`, `b_ndim` for `b`",
                "tinytensor/kernels/gemm.pyx",
            ],
        ),
        (
            "std",  # a lambda of several lines, without the indentation that it has in its file
            ["std_backward(\n        g, x, out, axis, correction, keepdims\n    ),"],
        ),
        ("linear_relu", ['linear_relu.grad_all(("x", "weight", "bias"), linear_relu_grad)']),
        ("tanh_backward", ["tanh_backward.defined_by("]),
        ("nonzero", ["No gradient", "`refused`", "**kernels** none"]),
    ],
)
def test_rules_are_shown_as_they_are_written(name: str, told: list[str]) -> None:
    op, text = entry(name)
    for words in told:
        assert words in text
    assert all(input in text for input in op.rules)
