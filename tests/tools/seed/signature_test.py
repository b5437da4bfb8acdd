from absl.testing import absltest

from tools.cli import cli
from tools.export.checkpoint import Variable
from tools.seed import signature

_HEADER = "tensor\tdtype\tshape\toffset\tsize\tmasked_crc32c_hex\n"


class SignatureTest(absltest.TestCase):
    def _file(self, content):
        return self.create_tempfile(content=content).full_path

    def test_reads_kernels_scalars_and_integers(self):
        path = self._file(
            _HEADER
            + "a/weights\tfloat32\t3,3,8,16\t0\t4608\td5815913\n"
            + "a/act_quant/min\tfloat32\t\t4608\t4\tacfc460b\n"
            + "global_step\tint64\t\t4612\t8\t7d029119\n"
        )
        self.assertEqual(
            signature.read(path),
            {
                "a/weights": Variable("float32", (3, 3, 8, 16)),
                "a/act_quant/min": Variable("float32", ()),
                "global_step": Variable("int64", ()),
            },
        )

    def test_another_file_is_refused_with_its_line(self):
        path = self._file("name\tdtype\n")
        with self.assertRaisesRegex(cli.UserError, f"{path}:1: a signature has the columns tensor"):
            signature.read(path)
        path = self._file(_HEADER + "a\tfloat32\t3\t0\t12\tab\nb\tfloat32\tthree\t0\t12\tab\n")
        with self.assertRaisesRegex(cli.UserError, f"{path}:3: is no line of a signature"):
            signature.read(path)

    def test_equal_variables_pass(self):
        variables = {"a": Variable("float32", (3,))}
        signature.check_equal(variables, dict(variables), "s.tsv")

    def test_the_first_differences_are_named(self):
        genuine = {name: Variable("float32", (3,)) for name in "abcd"}
        found = {
            "b": Variable("float32", (4, 2)),
            "c": Variable("int64", (3,)),
            "d": Variable("float32", (3,)),
            "e": Variable("float32", ()),
        }
        with self.assertRaises(cli.UserError) as caught:
            signature.check_equal(found, genuine, "s.tsv")
        self.assertEqual(
            str(caught.exception),
            "s.tsv: the model has other variables than the genuine checkpoint, in 4 places: a is"
            " absent instead of float32[3]; b is float32[4,2] instead of float32[3]; c is int64[3]"
            " instead of float32[3].",
        )


if __name__ == "__main__":
    absltest.main()
