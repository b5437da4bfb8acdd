from absl.testing import absltest

from reproducible_tflite.lib.labels import published


class PublishedTest(absltest.TestCase):
    def test_source_is_read_and_not_run(self):
        source = (
            "import nothing_there\nNAMES = ['a ', 'b']\ndef f():\n    '''x'''\n    return ['c']\n"
        )
        self.assertEqual(published.published_list(source, "NAMES"), ["a", "b"])
        self.assertEqual(published.published_list(source, "f"), ["c"])
        with self.assertRaises(LookupError):
            published.published_list(source, "OTHER")
        with self.assertRaises(ValueError):
            published.published_list("NAMES = open('x')", "NAMES")


if __name__ == "__main__":
    absltest.main()
