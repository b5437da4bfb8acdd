"""What a program sees of a packed site: the packaged CPython in a child, with sites made here."""

import compileall
import importlib.machinery
import os
import pathlib
import py_compile
import shutil
import subprocess
import sys
import textwrap

from absl.testing import absltest

from third_party.python import pack

_PACKAGE = {
    "package/__init__.py": "VALUE = 1\n",
    "package/module.py": """
        def answer():
            # Said in the source only.
            return 42


        def fail():
            raise ValueError("as planned")
    """,
    "package/broken.py": "this is no Python\n",
    "package/data.txt": "data\n",
    "package/py.typed": "",
    "package/header.h": "int x;\n",
    "package/LICENSE": "Do as you like.\n",
    "shared/one.py": "NAME = 'one'\n",
    "some_package-1.2.dist-info/METADATA": "Name: some-package\nVersion: 1.2\n",
    "some_package-1.2.dist-info/WHEEL": "Wheel-Version: 1.0\n",
}


class PackedSitesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _site(self, name, files):
        site = self.folder / name
        for path, text in files.items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(textwrap.dedent(text))
        compileall.compile_dir(
            site,
            quiet=2,
            stripdir=str(site),
            prependdir="/site",
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        return site

    def _packed(self, name="site", files=None):
        site = self._site(name, files or _PACKAGE)
        pack.pack(site, site / "site.zip")
        return site

    def _run(self, code, *sites):
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            env={**os.environ, "PYTHONPATH": ":".join(map(str, sites))},
            capture_output=True,
            check=False,
            text=True,
        )

    def _assert_prints(self, expected, code, *sites):
        result = self._run(code, *sites)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout.split(), expected.split())

    def test_what_stays_a_file(self):
        site = self._packed()
        files = [path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()]
        self.assertCountEqual(files, ["LICENCES.txt", "package/data.txt", "site.zip"])
        licences = (site / "LICENCES.txt").read_text()
        self.assertEqual(licences, "== package/LICENSE\nDo as you like.\n\n")

    def test_the_archive_depends_on_the_modules_alone(self):
        one, other = self._packed("one"), self._site("other", _PACKAGE)
        for path in other.rglob("*.py"):
            os.utime(path, (0, 0))
        pack.pack(other, other / "site.zip")
        self.assertEqual((one / "site.zip").read_bytes(), (other / "site.zip").read_bytes())

    def test_modules_name_the_place_where_their_data_is(self):
        site = self._packed()
        self._assert_prints(
            f"{site}/package/__init__.py {site}/package {site}/package/module.py 42 data",
            """
            import os, package
            from package import module
            print(package.__file__, *package.__path__, module.__file__, module.answer())
            print(open(os.path.join(os.path.dirname(package.__file__), "data.txt")).read())
            """,
            site,
        )

    def test_source_data_and_metadata_are_found(self):
        self._assert_prints(
            "True data data 1.2",
            """
            import importlib.metadata, importlib.resources, inspect, pkgutil
            from package import module
            print("# Said in the source only." in inspect.getsource(module.answer))
            print((importlib.resources.files("package") / "data.txt").read_text())
            print(pkgutil.get_data("package", "data.txt").decode())
            print(importlib.metadata.version("some-package"))
            """,
            self._packed(),
        )

    def test_an_error_is_shown_with_its_source(self):
        result = self._run("from package import module; module.fail()", self._packed())
        self.assertEqual(result.returncode, 1)
        self.assertIn('/site/package/module.py", line 8, in fail', result.stderr)
        self.assertIn('    raise ValueError("as planned")', result.stderr)

    def test_what_is_wrong_with_a_module(self):
        site = self._packed()
        for module, message in [
            ("package.broken", "SyntaxError: invalid syntax"),
            ("package.nothing", "No module named 'package.nothing'"),
            ("nothing", "No module named 'nothing'"),
        ]:
            with self.subTest(module=module):
                result = self._run(f"import {module}", site)
                self.assertEqual(result.returncode, 1)
                self.assertIn(message, result.stderr)

    def test_a_package_without_init_may_lie_in_several_sites(self):
        other = self._packed("other", {"shared/two.py": "NAME = 'two'\n"})
        unpacked = self._site("unpacked", {"shared/three.py": "NAME = 'three'\n"})
        self._assert_prints(
            "one two three",
            "from shared import one, two, three; print(one.NAME, two.NAME, three.NAME)",
            self._packed(),
            other,
            unpacked,
        )

    def test_an_extension_module_beside_the_archive(self):
        suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
        library = next(path for path in map(pathlib.Path, sys.path) if path.name == "lib-dynload")
        site = self._site("site", {"package/__init__.py": ""})
        shutil.copy(next(library.glob("_queue.*.so")), site / "package" / f"_queue{suffix}")
        pack.pack(site, site / "site.zip")
        self._assert_prints(
            f"{site}/package/_queue{suffix}",
            "from package import _queue; print(_queue.__file__)",
            site,
        )

    def test_a_child_of_multiprocessing_imports_likewise(self):
        self._assert_prints(
            "42",
            """
            import multiprocessing
            from package import module
            if __name__ == "__main__":
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    print(pool.apply(module.answer))
            """,
            self._packed(),
        )


if __name__ == "__main__":
    absltest.main()
