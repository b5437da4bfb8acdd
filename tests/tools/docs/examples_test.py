from absl.testing import absltest

from reproducible_tflite.docs import examples
from reproducible_tflite.lib.cli import cli

_FILE = """\
load(":defs.bzl", "net")

# A comment that is no example.

# Example of net: A small one.

net(name = "small", size = 1)

# Example of net: Two.

net(
    name = "two",
    graph = other(width = 3),
)

[net(name = name, **ATTRIBUTES) for name in NAMES]

# Example of NetInfo: Reads it.

def _impl(ctx):
    return ctx.attr.net[NetInfo].size

# End of the examples. What follows is none.

net(name = "hidden", secret = True)
"""


class ExamplesTest(absltest.TestCase):
    def _read(self, text):
        return examples.read([self.create_tempfile("BUILD", content=text).full_path])

    def test_the_parts_of_a_file(self):
        read = self._read(_FILE)
        self.assertEqual(list(read), ["net", "NetInfo"])
        small, two = read["net"]
        self.assertEqual(small, examples.Example("A small one.", 'net(name = "small", size = 1)'))
        self.assertEqual(two.caption, "Two.")
        self.assertEndsWith(two.code, "for name in NAMES]")

    def test_the_attributes_of_a_rule(self):
        (_, two) = self._read(_FILE)["net"]
        self.assertEqual(two.attributes("net"), {"name", "graph"})
        self.assertEqual(two.attributes("other"), {"width"})

    def test_the_fields_that_are_read(self):
        (example,) = self._read(_FILE)["NetInfo"]
        self.assertEqual(example.fields(), {"attr", "net", "size"})

    def test_what_is_not_starlark(self):
        with self.assertRaisesRegex(cli.UserError, "BUILD: the example 'Half.' is not Starlark"):
            self._read("# Example of net: Half.\nnet(")

    def test_a_file_that_is_not_there(self):
        with self.assertRaisesRegex(cli.UserError, "cannot"):
            examples.read(["/no/BUILD"])


if __name__ == "__main__":
    absltest.main()
