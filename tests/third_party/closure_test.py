import os
import pathlib
import subprocess
import sys
import zipfile

from absl.testing import absltest, parameterized

from third_party.bazel import closure, unpack

_START = pathlib.Path(sys.argv[1])

# Stands in for the loader: prints the content of a file beside each program.
_LOADER = """#!/bin/sh
[ "$1 $3" = "--library-path --list" ] && cat "$4.libraries"
"""


def fake_closure(root: pathlib.Path) -> dict[str, str]:
    """Makes what the smallest Bazel is unpacked from, and returns the package of every path."""
    owner = {}

    def put(path: str, package: str, text: str = "x") -> pathlib.Path:
        owner[path] = package
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
        return root / path

    loader = put(f"{unpack.LIBRARIES}/{unpack.LOADER}", "libc6", _LOADER)
    loader.chmod(0o755)
    put(f"{unpack.LIBRARIES}/libc.so.6", "libc6")
    put(f"{unpack.LIBRARIES}/libz.so.1.3", "zlib1g")
    put(f"{unpack.LIBRARIES}/libunloaded.so.1", "libunloaded1")
    (root / unpack.LIBRARIES / "libz.so.1").symlink_to("libz.so.1.3")
    owner[f"{unpack.LIBRARIES}/libz.so.1"] = "zlib1g"
    put(f"{unpack.LIBRARIES}/{unpack.ZSTD}", "libzstd-jni1")
    put(f"{unpack.LIBRARIES}/libzstd.so.1", "libzstd1")
    put(unpack.CLIENT, "bazel-bootstrap")
    put("usr/bin/patchelf", "patchelf")
    for name in unpack.PROGRAMS:
        put(f"{unpack.INSTALL_BASE}/{name}", "bazel-bootstrap")
    libraries = root.resolve() / unpack.LIBRARIES
    for program in (unpack.CLIENT, "usr/bin/patchelf"):
        (root / f"{program}.libraries").write_text(
            "\tlinux-vdso.so.1 (0x00007f42)\n"
            f"\tlibz.so.1 => {libraries}/libz.so.1 (0x00007f43)\n"
            f"\tlibc.so.6 => {libraries}/libc.so.6 (0x00007f44)\n"
            f"\t{libraries}/{unpack.LOADER} (0x00007f45)\n"
        )
    for name in unpack.PROGRAMS:
        (root / unpack.INSTALL_BASE / f"{name}.libraries").write_text("")
    (root / unpack.LIBRARIES / f"{unpack.ZSTD}.libraries").write_text(
        f"\tlibzstd.so.1 => {libraries}/libzstd.so.1 (0x00007f46)\n"
    )
    put("usr/share/bazel/rules/x.bzl", "bazel-rules-x")
    put(f"{unpack.INSTALL_BASE}/{unpack.CLASS_PATH}", "bazel-bootstrap", "/usr/share/java/a.jar\n")
    for name, package, manifest in (
        ("a-1.jar", "liba-java", "Class-Path: b.jar gone.jar\n"),
        ("b.jar", "libb-java", ""),
        ("c.jar", "libc-java", ""),
    ):
        with zipfile.ZipFile(put(f"{unpack.JARS}/{name}", package), "w") as jar:
            jar.writestr("META-INF/MANIFEST.MF", manifest)
    (root / unpack.JARS / "a.jar").symlink_to("a-1.jar")
    owner[f"{unpack.JARS}/a.jar"] = "liba-link-java"
    put("usr/bin/compiler", "build-tool")
    return owner


def setUpModule():
    # A test's own leads nowhere, and this starts programs of the machine.
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"


class NeededTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        self.owner = fake_closure(self.root)

    def test_what_is_bazels_what_is_on_the_class_path_and_what_is_loaded(self):
        self.assertEqual(
            closure.needed(self.root, self.owner),
            {
                "bazel-bootstrap",
                "bazel-rules-x",
                "liba-java",
                # It only has the link.
                "liba-link-java",
                "libb-java",
                "libc6",
                "libzstd-jni1",
                "libzstd1",
                "patchelf",
                "zlib1g",
            },
        )

    def test_a_library_that_is_not_in_the_closure_is_an_error(self):
        listed = self.root / f"{unpack.CLIENT}.libraries"
        listed.write_text("\tlibm.so.6 => /lib/libm.so.6 (0x00007f42)\n")
        with self.assertRaisesRegex(ValueError, "^/lib/libm.so.6 belongs to no package of the cl"):
            closure.needed(self.root, self.owner)

    def test_a_library_that_is_missing_is_an_error(self):
        (self.root / f"{unpack.CLIENT}.libraries").unlink()
        with self.assertRaisesRegex(OSError, "^ld-linux-x86-64.so.2: .*bazel.libraries"):
            closure.needed(self.root, self.owner)

    def test_no_bazel_is_an_error(self):
        (self.root / unpack.INSTALL_BASE / unpack.CLASS_PATH).unlink()
        with self.assertRaises(FileNotFoundError):
            closure.needed(self.root, self.owner)


class OwnersTest(absltest.TestCase):
    def test_files_and_links_have_their_package(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        tree = folder / "tree"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN" / "control").write_text(
            "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x.x>\nDescription: x\n"
        )
        (tree / "usr" / "lib").mkdir(parents=True)
        (tree / "usr" / "lib" / "x").touch()
        (tree / "usr" / "link").symlink_to("lib")
        deb = folder / "x_1_all.deb"
        subprocess.run(["dpkg-deb", "--build", tree, deb], check=True, capture_output=True)
        self.assertEqual(closure.owners([deb]), {"usr/lib/x": "x", "usr/link": "x"})

    def test_a_damaged_package_is_an_error(self):
        deb = pathlib.Path(self.create_tempdir().full_path, "x_1_all.deb")
        deb.write_text("x")
        with self.assertRaisesRegex(OSError, "^x_1_all.deb cannot be read: "):
            closure.owners([deb])


class StartTest(parameterized.TestCase):
    def test_closure_txt(self):
        start = closure.parse_start(_START.read_text(encoding="utf-8"))
        self.assertIn("bazel-bootstrap", start.roots)
        self.assertIn("default-jdk-headless", start.without)
        self.assertRegex(start.suite, "^[a-z]+$")

    def test_a_line_tells_its_kind(self):
        start = closure.parse_start("# x\n\nsuite s\nroot a\nwithout b\nroot g++-x\n")
        self.assertEqual(start, closure.Start("s", ["a", "g++-x"], ["b"]))

    @parameterized.parameters(
        ("suite s\nroots a\n", "'roots a' is not"),
        ("suite s\nroot a b\n", "'root a b' is not"),
        ("suite s\nroot\n", "'root' is not"),
        ("root a\n", "one suite and at least one root"),
        ("suite s\nsuite t\nroot a\n", "one suite and at least one root"),
        ("suite s\n", "one suite and at least one root"),
    )
    def test_anything_else_is_an_error(self, text, message):
        with self.assertRaisesRegex(ValueError, message):
            closure.parse_start(text)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
