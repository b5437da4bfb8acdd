import os

from absl.testing import absltest

from reproducible_tflite.audit import traces

_SANDBOX = "/base/sandbox/linux-sandbox/7/execroot/reproducible_tflite"
_LOADER = f"{_SANDBOX}/x.runfiles/cpython_3_11/runtime/lib/ld-linux-x86-64.so.2"


def _open(path, flags="O_RDONLY", process=4, asked=None):
    asked = asked or path
    return f'{process} openat(AT_FDCWD<{_SANDBOX}>, "{asked}", {flags}) = 3<{path}>'


def _parse(*lines):
    start = (
        f'4 execve("{_LOADER}", ["python", "x.py", "--output=out/m.tflite"], 0x7f /* 9 vars */) = 0'
    )
    return traces.parse("\n".join([start, *lines]))


class ParseTest(absltest.TestCase):
    def test_a_link_counts_by_where_it_leads(self):
        trace = _parse(_open("/workspace/a.py", asked=f"{_SANDBOX}/a.py"))
        self.assertEqual(trace.opened, {"/workspace/a.py"})
        self.assertEqual(trace.sandbox, _SANDBOX)

    def test_what_failed_or_lists_a_folder_is_no_reading(self):
        trace = _parse(
            '4 openat(AT_FDCWD</a>, "/x", O_RDONLY) = -1 ENOENT (No such file or directory)',
            _open("/etc", "O_RDONLY|O_DIRECTORY|O_CLOEXEC"),
        )
        self.assertEmpty(trace.opened)

    def test_a_call_that_was_interrupted_is_put_together(self):
        trace = _parse(
            '4 openat(AT_FDCWD</a>, "/x/y", O_RDONLY <unfinished ...>',
            "5 +++ exited with 0 +++",
            "4 <... openat resumed>) = 3</x/y>",
        )
        self.assertEqual(trace.opened, {"/x/y"})

    def test_what_a_shell_opens_is_told_from_what_python_opens(self):
        trace = _parse(
            '6 execve("/usr/bin/env", ["env"], 0x7f /* 9 vars */) = 0',
            _open("/etc/ld.so.cache", process=6),
            _open("/etc/passwd"),
        )
        self.assertEqual(trace.opened, {"/etc/passwd"})
        self.assertEqual(trace.starter, {"/usr/bin/env", "/etc/ld.so.cache"})


class LeaksTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = os.path.realpath(self.create_tempdir().full_path)
        for name in ("declared.txt", "neighbour.txt", "folder/inner.txt"):
            os.makedirs(os.path.dirname(f"{self.root}/{name}"), exist_ok=True)
            with open(f"{self.root}/{name}", "w", encoding="utf-8"):
                pass

    def _leaks(self, *lines):
        return traces.leaks(_parse(*lines), ["declared.txt", "folder"], self.root)

    def test_declared_files_and_all_in_a_declared_folder_are_none(self):
        paths = ("declared.txt", "folder/inner.txt")
        self.assertEmpty(self._leaks(*(_open(f"{self.root}/{path}") for path in paths)))

    def test_a_neighbour_of_an_input_is_one(self):
        path = f"{self.root}/neighbour.txt"
        self.assertEqual(self._leaks(_open(path)), [path])

    def test_a_library_of_the_host_is_one_for_python_and_none_for_env(self):
        path = "/lib/x86_64-linux-gnu/libc.so.6"
        self.assertEqual(self._leaks(_open(path)), [path])
        start = '6 execve("/usr/bin/env", ["env"], 0x7f /* 9 vars */) = 0'
        self.assertEmpty(self._leaks(start, _open(path, process=6)))
        other = "/lib/x86_64-linux-gnu/libz.so.1"
        self.assertEqual(self._leaks(start, _open(other, process=6)), [other])

    def test_the_kernels_files_and_devices_are_none(self):
        paths = ("/proc/self/maps", "/proc/4/status", "/dev/urandom", "/proc/cpuinfo")
        self.assertEmpty(self._leaks(*map(_open, paths)))
        self.assertNotEmpty(self._leaks(_open("/proc/version")))

    def test_what_the_action_itself_made_is_none(self):
        created = _open("/tmp/cache", "O_RDWR|O_CREAT|O_EXCL")
        self.assertEmpty(
            self._leaks(created, _open("/tmp/cache"), _open(f"{_SANDBOX}/out/m.tflite"))
        )
        self.assertEqual(self._leaks(_open("/tmp/cache", "O_RDWR|O_CREAT")), ["/tmp/cache"])


class ActionTest(absltest.TestCase):
    _OUTPUTS = {"out/m.tflite": "Convert", "out/n.tflite": "Other"}

    def test_by_the_file_that_it_renamed_to_its_output(self):
        trace = _parse(
            _open(f"{_SANDBOX}/out/.partial", "O_RDWR|O_CREAT|O_EXCL"),
            '4 rename("out/.partial", "out/n.tflite") = 0',
        )
        self.assertEqual(traces.action_of(trace, self._OUTPUTS), "Other")

    def test_else_by_its_command_line(self):
        self.assertEqual(traces.action_of(_parse(), self._OUTPUTS), "Convert")
        self.assertIsNone(traces.action_of(_parse(), {"z": "None"}))


if __name__ == "__main__":
    absltest.main()
