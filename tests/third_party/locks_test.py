"""Every lock pins every row, and the locks agree with each other."""

import collections
import json
import pathlib
import re
import sys

from absl.testing import absltest, parameterized

_FILES = [pathlib.Path(argument) for argument in sys.argv[1:]]
_LOCKS = [path for path in _FILES if path.suffix == ".lock"]
(_CONSTRAINTS,) = [path for path in _FILES if path.name == "constraints.txt"]
_DEBIAN = [path for path in _FILES if path.name.endswith(".lock.json")]

# A published file, an old Python, a later protobuf or a server pins what goes with it.
_FOREIGN = [
    path
    for path in _LOCKS
    if path.name in ("1.15.5.lock", "2.21.0.lock")
    or path.parent.name in ("as_published", "buildgrid")
]
# These are released together with TensorFlow and follow its version.
_BY_TENSORFLOW = {"keras", "tensorboard", "tensorflow-cpu"}

_ROW = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>[\w.+!]+) \\\n"
    r"    --hash=sha256:(?P<sha256>[0-9a-f]{64})\n"
    r"    # file: (?P<file>\S+)\n"
)
# For the packaged CPython on x86-64 Linux, or for any.
_WHEEL_TAGS = (
    r"(?:py3|py2\.py3|{0})-none-any"
    r"|(?:{0}-{0}m?|cp3\d+-abi3|py3-none|py2\.py3-none)-(?:manylinux[\w]*_x86_64\.?)+"
)
# What is for another Python than 3.11.
_PYTHONS = {
    "1.15.5.lock": "cp37",
    "2.3.4.lock": "cp38",
    "2.4.4.lock": "cp38",
    "2.5.3.lock": "cp39",
    "2.7.4.lock": "cp39",
    "2.8.4.lock": "cp39",
    "2.9.2.lock": "cp39",
    "2.10.1.lock": "cp39",
    "2.11.1.lock": "cp39",
}
# Read as an archive and never imported: its code is for another Python.
_ADAPTED = {"tensorflow==1.15.5": "cp37-cp37m-manylinux2010_x86_64"}


def _rows(path: pathlib.Path) -> list[dict[str, str]]:
    return [match.groupdict() for match in _ROW.finditer(path.read_text(encoding="utf-8"))]


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class LocksTest(parameterized.TestCase):
    @parameterized.parameters(*_LOCKS)
    def test_there_is_nothing_but_rows_with_a_digest_and_a_file(self, path):
        text = path.read_text(encoding="utf-8")
        rest = _ROW.sub("", text)
        self.assertNotEmpty(_rows(path))
        self.assertEqual([line for line in rest.splitlines() if not line.startswith("#")], [])
        self.assertNotIn("# file:", rest)

    @parameterized.parameters(*_LOCKS)
    def test_no_package_stands_twice(self, path):
        names = [row["name"] for row in _rows(path)]
        self.assertCountEqual(names, set(names))

    @parameterized.parameters(*_LOCKS)
    def test_a_files_name_fits_its_row(self, path):
        for row in _rows(path):
            requirement = f"{row['name']}=={row['version']}"
            if row["file"].endswith(".tar.gz"):
                name, _, version = row["file"].removesuffix(".tar.gz").rpartition("-")
            else:
                self.assertEndsWith(row["file"], ".whl")
                name, version, *tags = row["file"].removesuffix(".whl").split("-")
                if requirement in _ADAPTED:
                    self.assertEqual("-".join(tags), _ADAPTED[requirement])
                else:
                    wheel_tags = _WHEEL_TAGS.format(_PYTHONS.get(path.name, "cp311"))
                    self.assertRegex("-".join(tags), f"^(?:{wheel_tags})$")
            self.assertEqual(f"{_normalized(name)}=={version}", requirement)

    def test_the_locks_of_every_folder_are_looked_at(self):
        self.assertLen(_LOCKS, 40)


class VersionsTest(absltest.TestCase):
    def test_a_package_of_several_locks_has_one_version_and_file(self):
        pins_by_name = collections.defaultdict(set)
        for path in _LOCKS:
            for row in _rows(path):
                if path not in _FOREIGN and row["name"] not in _BY_TENSORFLOW:
                    pins_by_name[row["name"]].add((row["version"], row["sha256"], row["file"]))
        self.assertEqual({name: pins for name, pins in pins_by_name.items() if len(pins) > 1}, {})

    def test_the_constraints_hold(self):
        constraints = re.findall(
            r"^([\w-]+)==(\S+)$", _CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE
        )
        self.assertNotEmpty(constraints)
        for path in _LOCKS:
            if path not in _FOREIGN:
                locked = {row["name"]: row["version"] for row in _rows(path)}
                wanted = {name: version for name, version in constraints if name in locked}
                self.assertEqual(wanted, {name: locked[name] for name in wanted}, str(path))


class DebianTest(parameterized.TestCase):
    @parameterized.parameters(*_DEBIAN)
    def test_every_row_is_whole_and_its_file_fits(self, path):
        rows = json.loads(path.read_text(encoding="utf-8"))["packages"]
        self.assertNotEmpty(rows)
        for row in rows:
            self.assertRegex(row["sha256"], "^[0-9a-f]{64}$")
            self.assertIn(row["architecture"], ("all", "amd64"))
            # apt writes the colon of an epoch as %3a.
            version = row["version"].replace(":", "%3a")
            self.assertEqual(row["file"], f"{row['package']}_{version}_{row['architecture']}.deb")
        names = [row["package"] for row in rows]
        self.assertEqual(names, sorted(set(names)))

    def test_a_package_of_several_locks_is_one_revision_of_a_suite(self):
        # The rules that the project loads are those that its Bazel brings.
        rows_by_package = collections.defaultdict(list)
        for path in _DEBIAN:
            for row in json.loads(path.read_text(encoding="utf-8"))["packages"]:
                rows_by_package[row["package"], row["suite"]].append(row)
        for rows in rows_by_package.values():
            for row in rows:
                self.assertEqual(row, rows[0])
        shared = [package for (package, suite), rows in rows_by_package.items() if len(rows) > 1]
        self.assertContainsSubset(
            ["bazel-platforms", "bazel-rules-cc", "bazel-rules-python", "bazel-skylib"], shared
        )


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
