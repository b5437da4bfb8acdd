"""Imports the packages of a packed site, which is a directory with the archive `site.zip`.

The archive has every module, as source and as bytecode. The directory has the shared objects and
data, which must be files, in their places. zipimport
(https://docs.python.org/3/library/zipimport.html) loads the modules, except that `__file__` and
`__path__` refer to the directory, so that packages find their data and shared objects.

The packaged CPython imports this module at every start (cpython.bzl).
"""

import _imp
import os
import sys
import zipimport
from importlib import machinery
from types import CodeType

ARCHIVE = "site.zip"

# The directories that are packed sites, as spelled on sys.path.
_sites: set[str] = set()


class _Modules(zipimport.zipimporter):
    """The modules in a folder of an archive; the instance is their loader."""

    def __init__(self, site: str, folder: str) -> None:
        archive = os.path.join(site, ARCHIVE)
        super().__init__(os.path.join(archive, folder) if folder else archive)
        self._site = site

    def get_filename(self, fullname: str) -> str:
        ending = "/__init__.py" if self.is_package(fullname) else ".py"
        return os.path.join(self._site, self.prefix + fullname.rpartition(".")[2] + ending)

    def get_code(self, fullname: str) -> CodeType:
        code = super().get_code(fullname)
        # Like importlib for files: inspect finds a frame's module and source by this name.
        _imp._fix_co_filename(code, self.get_filename(fullname))
        return code

    def get_data(self, pathname: str) -> bytes:
        if pathname.startswith(self._site + "/") and os.path.exists(pathname):
            with open(pathname, "rb") as stream:
                return stream.read()
        return super().get_data(pathname.removeprefix(self._site + "/"))

    def get_resource_reader(self, fullname: str) -> object:
        from importlib import readers

        class Place:
            path = self.get_filename(fullname)

        return readers.FileReader(Place)


class _Finder:
    """Finds modules in a site's archive, and extension modules in its directory."""

    def __init__(self, site: str, folder: str) -> None:
        self._path = os.path.join(site, folder) if folder else site
        self._modules = _Modules(site, folder)
        extensions = (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES)
        self._files = machinery.FileFinder(self._path, extensions)

    def find_spec(self, fullname: str, target: object = None) -> machinery.ModuleSpec | None:
        packed_spec = self._modules.find_spec(fullname, target)
        if packed_spec and packed_spec.loader:
            return packed_spec
        spec = self._files.find_spec(fullname, target)
        if packed_spec and not (spec and spec.loader):
            # A package without an __init__ may have modules in several places.
            packed_spec.submodule_search_locations = [
                os.path.join(self._path, fullname.rpartition(".")[2])
            ]
            return packed_spec
        return spec

    def invalidate_caches(self) -> None:
        self._files.invalidate_caches()


def _path_hook(path: str) -> _Finder:
    """Returns the finder for a folder of a packed site, for sys.path_hooks.

    Raises:
      ImportError: the folder is not in a packed site.
    """
    for site in _sites:
        if path == site or path.startswith(site + "/"):
            if not path.endswith(ARCHIVE):
                return _Finder(site, path[len(site) + 1 :])
    raise ImportError(f"{path} is in no packed site", path=path)


def _print_exception(kind: type, error: BaseException, trace: object) -> None:
    """Prints an error with its source lines, which the interpreter itself reads only from files."""
    import traceback

    traceback.print_exception(kind, error, trace)


def install() -> None:
    """Makes every packed site on sys.path importable."""
    entries = []
    for entry in sys.path:
        entries.append(entry)
        if os.path.isfile(os.path.join(entry, ARCHIVE)):
            _sites.add(entry)
            # The interpreter has cached a finder for the entry at its start.
            sys.path_importer_cache.pop(entry, None)
            # importlib.metadata reads archives by itself.
            entries.append(os.path.join(entry, ARCHIVE))
    if _sites:
        sys.path[:] = entries
        sys.path_hooks.insert(0, _path_hook)
    sys.excepthook = _print_exception
