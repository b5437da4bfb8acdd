"""Checks that the probe saw only what a hermetic action may see, inside two actions."""

import json
import sys

from absl.testing import absltest, parameterized

from tests.hermeticity import host_paths

_REPORTS = [path for path in sys.argv[1:] if path.endswith(".json")]

# The launcher and Bazel's start-up script set these.
_ENVIRONMENT = {
    "HOME": "/dev/null",
    "KERAS_HOME": "/dev/null",
    "LC_ALL": "C",
    "OPENSSL_CONF": "/dev/null",
    "PATH": "/dev/null",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TZ": "UTC0",
}
_ENVIRONMENT_OF_PLACES = {"PYTHONHOME", "PYTHONPATH", "RUNFILES_DIR", "TMPDIR"}
# TensorFlow and Keras set these during import.
_ENVIRONMENT_OF_TENSORFLOW = {
    "TF2_BEHAVIOR",
    "TPU_ML_PLATFORM",
    "TPU_ML_PLATFORM_VERSION",
    "KERAS_BACKEND",
}


def _load(path: str) -> dict:
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


@parameterized.parameters(*_REPORTS)
class HermeticityTest(parameterized.TestCase):
    def test_only_declared_directories_are_on_the_path(self, path):
        report = _load(path)
        self.assertNotEmpty(report["path"])
        for entry in report["path"] + [report["executable"], report["prefix"]]:
            self.assertStartsWith(entry, report["working_directory"] + "/")
            self.assertIn(".runfiles", entry)

    def test_no_library_of_the_host_is_mapped(self, path):
        mapped = _load(path)["mapped"]
        # These must be mapped; otherwise the list would be incomplete.
        for part in (
            "ld-linux-x86-64.so.2",
            "libc.so.6",
            "libstdc++.so.6",
            "libtensorflow_framework.so.2",
        ):
            self.assertTrue(any(part in name for name in mapped), part)
        allowed = (
            "/external/reproducible_tflite_cpython_3_11/",
            "/external/reproducible_tflite_tensorflow_",
            "/reproducible_tflite_cpython_3_11/",
            "/reproducible_tflite_tensorflow_2_",
        )
        foreign = [name for name in mapped if not any(part in name for part in allowed)]
        # TensorFlow's own shared memory is not a file of the host.
        self.assertEmpty(
            [name for name in foreign if not name.startswith(("/dev/shm/", "/memfd:"))]
        )

    def test_the_environment_is_fixed(self, path):
        environment = _load(path)["environment"]
        for name, value in _ENVIRONMENT.items():
            self.assertEqual(environment.get(name), value, name)
        self.assertEmpty(
            set(environment)
            - set(_ENVIRONMENT)
            - _ENVIRONMENT_OF_PLACES
            - _ENVIRONMENT_OF_TENSORFLOW
        )

    def test_temporary_files_are_the_actions_own(self, path):
        report = _load(path)
        self.assertStartsWith(report["environment"]["TMPDIR"], report["working_directory"] + "/")

    def test_only_inputs_can_be_read(self, path):
        report = _load(path)
        self.assertContainsSubset(host_paths.OF_EVERY_MACHINE, report["read_errors"])
        for name, error in report["read_errors"].items():
            allowed = {"PermissionError"}
            if name in host_paths.OF_SOME_MACHINES:
                allowed.add("FileNotFoundError")
            self.assertIn(
                error,
                allowed,
                f"{name} can be read inside an action. Landlock prevents this; it needs Linux 5.19 "
                "or later and must be enabled (third_party/python/confine.py).",
            )

    def test_memory_is_shared_with_no_other_action(self, path):
        self.assertEmpty(_load(path)["shared_memory"])

    def test_tmp_is_shared_with_no_other_action(self, path):
        # The action's own folder, which Bazel makes and mounts.
        self.assertRegex(
            _load(path)["mounted_at_tmp"], "/sandbox/linux-sandbox/[0-9]+/_hermetic_tmp$"
        )

    def test_there_is_no_network(self, path):
        report = _load(path)
        self.assertEqual(report["interfaces"], ["lo"])
        self.assertEqual(report["network_error"], "OSError")

    def test_nothing_undeclared_can_be_imported(self, path):
        report = _load(path)
        self.assertEqual(report["undeclared_import_error"], "ModuleNotFoundError")
        self.assertEqual(report["undeclared_neighbour_error"], "ModuleNotFoundError")


class BothTest(absltest.TestCase):
    def test_both_actions_hash_strings_alike(self):
        self.assertLen(_REPORTS, 2)
        self.assertLen({_load(path)["hash_of_a_string"] for path in _REPORTS}, 1)

    def test_tmp_is_empty(self):
        # Only the shell of a genrule can list it.
        self.assertCountEqual([_load(path)["tmp"] for path in _REPORTS], ["", None])


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
