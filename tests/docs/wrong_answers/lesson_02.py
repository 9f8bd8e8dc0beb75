"""Wrong answers to lesson 2's exercises, each with words of the message that is meant for it."""


def shallowest(graph):
    found = {}
    for step, parents in graph.items():
        found[step] = 1 + min((found[parent] for parent in parents), default=-1)
    return found


def calling_itself(graph):
    def depth(step):
        return 1 + max((depth(parent) for parent in graph[step]), default=-1)

    return {step: depth(step) for step in [*graph][::-1]}


def hasty(*order):
    def backward(graph, end):
        g = {**dict.fromkeys(graph, 0), end: 1}
        for step in order:
            for parent, slope in graph[step]:
                g[parent] += slope * g[step]
        return g

    return backward


def overwriting(graph, end):
    g = {**dict.fromkeys(graph, 0), end: 1}
    for step in reversed(graph):
        for parent, slope in graph[step]:
            g[parent] = slope * g[step]
    return g


def walking(graph, end, start):
    if end == start:
        return 1
    return sum(walking(graph, parent, start) for parent in graph[end])


def from_the_front(y):
    a, b = y.node.parents[1], y.node.parents[0]
    return [a, b, y.node]


def in_place(careful):
    def backward(graph, end, g):
        pending = {end: g}
        for step in reversed(graph):
            for parent, rule in graph[step] if step in pending else ():
                part = rule(pending[step])
                if parent not in pending:
                    pending[parent] = part
                elif careful:
                    pending[parent] = pending[parent] + part
                else:
                    pending[parent] += part
        return pending

    return backward


WRONG = [
    ("depths", lambda graph: {step: i for i, step in enumerate(graph)}, "is not the depth"),
    ("depths", shallowest, "deepest parent"),
    ("depths", calling_itself, "calls itself"),
    ("backward", hasty("y", "a", "b"), "came late and was lost"),
    ("backward", hasty("y", "a", "b", "a"), "counted twice"),
    ("backward", overwriting, "They are added"),
    ("ways", walking, "You walk each way"),
    ("in_order", from_the_front, "turn it round"),
    ("backward_in_place", in_place(careful=False), "It is not yours"),
    ("backward_in_place", in_place(careful=True), "three arrays were made"),
]
