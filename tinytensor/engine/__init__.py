"""The autograd engine: it knows nothing of arrays. A tour of it takes this order:

``core``         variables, the nodes of a recorded graph, and the backward pass
``family``       what the engine asks of a class of variables
``operation``    ``Op``: a forward function with its gradient rules, and what a call records
``plan``         what calls of an op save, and which rules then run
``grad``         derivatives given back instead of added to ``grad``
``grad_mode``    whether calls are recorded at all
``observers``    what is told of calls, of changes in place and of backward passes
``user_line``    which line of a stack is the user's
``hooks``        what registering a hook returns
``interpreted``  what the engine's words of Cython mean without it
"""

from .core import GraphError, Node, Variable, compiled
from .operation import Op, op

__all__ = ["GraphError", "Node", "Op", "Variable", "compiled", "op"]
