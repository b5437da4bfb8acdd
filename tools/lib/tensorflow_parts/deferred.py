"""Lets a program import parts of TensorFlow without the whole; import it before them.

Before any part, such as `tensorflow.python.client.session`, Python runs the package's own
`__init__`, which imports all of TensorFlow: five times as many modules, in five times the time.
Once this module is imported, that file runs only when someone asks the package for a name that no
imported part has, such as `tf.constant`.
"""

import importlib.util
import sys
import types
from collections.abc import Sequence
from importlib import machinery
from typing import Any

_NAME = "tensorflow"


class _Package(types.ModuleType):
    """A package whose own file has not run yet."""

    def complete(self) -> None:
        """Runs the package's own file."""
        self.__class__ = types.ModuleType
        self.__spec__.loader.exec_module(self)

    def __getattr__(self, name: str) -> Any:
        self.complete()
        return getattr(self, name)


class _Rest:
    """Finds parts whose folder only the complete package knows, such as `tensorflow.compat`."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: object = None
    ) -> machinery.ModuleSpec | None:
        package = sys.modules.get(_NAME)
        if name.rpartition(".")[0] != _NAME or not isinstance(package, _Package):
            return None
        package.complete()
        return machinery.PathFinder.find_spec(name, package.__path__)


def _defer() -> None:
    if _NAME in sys.modules:
        return
    package = importlib.util.module_from_spec(importlib.util.find_spec(_NAME))
    package.__class__ = _Package
    sys.modules[_NAME] = package
    sys.meta_path.append(_Rest)


_defer()
