"""Whether you have lesson 6. Read the messages; the tests themselves give answers away."""

import numpy as np

import tinytensor as tt

PROGRAMS = {
    "a": ("y = w * x; x += 1", "The product saved x for the gradient by w."),
    "b": ("y = w + x; x += 1", "A sum saves nothing: its slopes are 1."),
    "c": ("y = (w * 2).tanh(); y += 1", "tanh saves its output, and that is what y += 1 changes."),
    "d": ("y = (w * 2).log(); y += 1", "The logarithm saves its input; its output may change."),
    "e": ("y = w * x; v = x[:1]; v += 1", "v is a view of x, which the product saved."),
    "f": ("y = w * x; c = x.clone(); c += 1", "A copy has memory of its own."),
    "g": ("h = w * 2; h *= x; y = h", "The change is recorded, and h's old values are not needed."),
    "h": ("y = w * x; w += 1", "w is a leaf that wants a gradient; it cannot be changed so."),
    "i": ("x += 1; y = w * x", "The change came before the call, so the right x was saved."),
    "j": ("h = w * 2; y = h * 1; h[0] = 0", "h * 1 needs 1, and not h, for the gradient by h."),
}


def fails(program):
    w, x = tt.tensor([1.0, 2.0], requires_grad=True), tt.tensor([3.0, 4.0])
    names = {"w": w, "x": x}
    try:
        exec(program, names)
        names["y"].sum().backward()
    except tt.GraphError:
        return True
    return False


def test_verdicts(lesson):
    got = lesson.verdicts()
    assert isinstance(got, dict), f"A dict is asked for, not {type(got).__name__}."
    missing = sorted(PROGRAMS.keys() - got.keys())
    assert not missing, f"No verdict yet on {', '.join(missing)}."
    for letter, (program, why) in PROGRAMS.items():
        does = "fails" if fails(program) else "works"
        assert got[letter] == (does == "fails"), f"{letter}: `{program}` {does}. {why}"


def unchanged(saved):
    try:
        saved()
    except RuntimeError:
        return False
    return True


def test_Box(lesson):
    box = lesson.Box(np.arange(4.0))
    view, other = box.view(1, 3), lesson.Box(np.arange(4.0))
    assert np.shares_memory(view.numbers, box.numbers), "A view has no numbers of its own."
    box.write(0, 5.0)
    assert box.numbers[0] == 5.0, "write(0, 5.0) did not write."
    saved = box.save()
    assert unchanged(saved), "Nothing was written since save, but it raised RuntimeError."
    assert saved() is not None, "What save returns must give the numbers back."
    assert np.shares_memory(saved(), box.numbers), (
        "save made a copy. That is safe, and doubles the memory; keep a reference, and notice."
    )
    other.write(0, 1.0)
    assert unchanged(saved), (
        "A write to another box made this one fail. Is the version a thing of the class, one for"
        " all boxes?"
    )
    box.write(0, 6.0)
    assert not unchanged(saved), "The box was written to after save, and nobody noticed."
    box.write(0, 5.0)
    assert not unchanged(saved), (
        "The number was written back, and save forgot that there was a change. It compares numbers;"
        " a version counts changes, which costs less and never takes them back."
    )
    saved, of_view = box.save(), view.save()
    view.write(0, 7.0)
    assert not unchanged(saved), (
        "A view was written to, which changed the box's memory, and the box did not notice. Box and"
        " view must share *one* version: the same object, not a copy of the count."
    )
    assert not unchanged(of_view), "The view was written to, and what it had saved did not notice."
    of_inner = view.view(0, 1).save()
    box.write(1, 8.0)
    assert not unchanged(of_inner), "A view of a view did not notice a change of the box."


def test_overwritten_gradients(lesson):
    g = np.array([1.0, 2.0, 3.0, 4.0])
    by_root, by_value = lesson.overwritten_gradients(g, 1, 3)
    assert g.tolist() == [1, 2, 3, 4], (
        "g was changed. Others may hold it (lesson 2: two parents may be handed the same array)."
        " Make the zeros in a copy."
    )
    by_root, by_value = np.asarray(by_root).tolist(), np.asarray(by_value).tolist()
    assert by_root != [1, 2, 3, 4], (
        "The root gets all of g in your answer. But what stood in the places 1 and 2 is gone; a"
        " nudge of it changes nothing, so its gradient is 0."
    )
    assert by_root != [0, 2, 3, 0], "The zeros belong where it was written over, not elsewhere."
    assert by_root == [1, 0, 0, 4], f"The root gets 1, 0, 0, 4, not {by_root}."
    assert by_value == [2, 3], f"The value stands in places 1 and 2, and gets 2, 3: not {by_value}."


def test_running_product(lesson):
    x = tt.tensor([2.0, 3.0, 4.0], dtype=tt.float64, requires_grad=True)
    out = lesson.running_product(x)
    assert isinstance(out, tt.Tensor), "running_product returns a tensor, the buffer."
    assert out.tolist() == [2, 6, 24], f"Of 2, 3, 4 it is 2, 6, 24, not {out.tolist()}."
    assert out.requires_grad, (
        "The result wants no gradient. Were numbers taken out of the graph, by item() or no_grad?"
    )
    try:
        out.sum().backward()
    except tt.GraphError as error:
        raise AssertionError(
            f"Backward says: {error}. Something that an op saved lies in the buffer, which changed"
            " afterwards. Multiply tensors that are not views of it."
        ) from None
    assert x.grad.tolist() == [1 + 3 + 12, 2 + 8, 6], (
        f"The gradient of the sum is 16, 10, 6; yours is {x.grad.tolist()}."
    )


def test_who_needs(lesson):
    w = tt.tensor([1.0, 2.0], requires_grad=True)
    x = tt.tensor([3.0, 4.0])
    e = (w * x).exp()
    loss = ((e.sin() + x) * e).sum()
    got = lesson.who_needs(x, loss)
    assert got is not None, "who_needs returned None: does it end in a return?"
    assert "add" not in got, "add uses x, but saves nothing of it: its slopes are 1."
    assert got != [], (
        "Nobody needs x, you say. Did you look at all nodes, or only at the last? And are versions"
        " compared by `is`?"
    )
    assert got == ["multiply"], f"For x it is ['multiply'], once; you said {got}."
    got = lesson.who_needs(e, loss)
    assert got == ["exp", "multiply", "sin"], (
        f"e is saved as exp's output, as sin's input and as a factor; you said {got}."
    )
    got = lesson.who_needs(e[:1], loss)
    assert got == ["exp", "multiply", "sin"], (
        f"A view of e has e's memory, and e's version: a change of it is one of e. You said {got}."
    )
    assert lesson.who_needs(tt.ones(2), loss) == [], "A fresh tensor is needed by nobody: []."
    loss.backward()  # nothing was changed
