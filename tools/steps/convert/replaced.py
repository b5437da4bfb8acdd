"""Replaces a function of TensorFlow's that offers no other way to change what it does."""

import contextlib
import types
from collections.abc import Callable, Iterator
from typing import Any

from reproducible_tflite.lib.cli import cli


@contextlib.contextmanager
def replaced(
    module: types.ModuleType, name: str, wrap: Callable[..., Any], purpose: str
) -> Iterator[None]:
    """Replaces a function in a block, and checks that the block called it.

    Another TensorFlow may have the function elsewhere. The replacement would then do nothing.

    Args:
      module: the module whose code calls the function.
      name: the function's name there.
      wrap: called instead, with the function and its arguments.
      purpose: what the replacement is for, such as "to round the ranges".

    Raises:
      cli.UserError: the module has no such function, or the block did not call it.
    """
    import tensorflow as tf

    def refused(what: str) -> cli.UserError:
        return cli.UserError(
            f"TensorFlow {tf.__version__} {what} {module.__name__}.{name}, which is replaced"
            f" {purpose}; convert with another TensorFlow."
        )

    original = getattr(module, name, None)
    if original is None:
        raise refused("does not have")
    called = False

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal called
        called = True
        return wrap(original, *args, **kwargs)

    setattr(module, name, call)
    try:
        yield
    finally:
        setattr(module, name, original)
    if not called:
        raise refused("did not call")
