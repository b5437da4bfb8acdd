import pathlib

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.provenance import materials
from tests.tools.provenance import requests


class MaterialsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.request = requests.make(self.create_tempdir().full_path)

    def _collected(self):
        return {row["name"]: row for row in materials.collect(self.request)}

    def test_every_repository_is_told_of_by_its_lock(self):
        collected = self._collected()
        self.assertEqual(
            collected["absl_py-2.1.0-py3-none-any.whl"],
            {
                "name": "absl_py-2.1.0-py3-none-any.whl",
                "uri": "pkg:pypi/absl-py@2.1.0?file_name=absl_py-2.1.0-py3-none-any.whl",
                "digest": {"sha256": "a" * 64},
                "annotations": {
                    "kind": "wheel",
                    "repositories": [
                        "reproducible_tflite_pip_absl_py",
                        "reproducible_tflite_tensorflow_2_15_1",
                    ],
                },
            },
        )
        self.assertEqual(collected["some_models-1.0.post2.tar.gz"]["digest"]["sha256"], "c" * 64)
        # A repository with some rows of a lock.
        tensorflow = collected["tensorflow_cpu-2.15.1-cp311-cp311-manylinux_2_17_x86_64.whl"]
        self.assertEqual(
            tensorflow["annotations"]["repositories"], ["reproducible_tflite_tensorflow_2_15_1"]
        )

    def test_every_row_of_the_libraries_that_declare_actions_is_there(self):
        names = {
            name
            for row in self._collected().values()
            for name in row["annotations"].get("repositories", [])
        }
        self.assertContainsSubset({"bazel_skylib", "rules_python"}, names)

    def test_files_of_the_workspace_have_their_own_digest(self):
        row = self._collected()["tools/lib/values/weights.py"]
        self.assertEqual(row["digest"]["sha256"], requests.sha256(b"import math"))
        adapter = self._collected()["third_party/some/adapt.py"]
        self.assertEqual(adapter["digest"]["sha256"], requests.sha256(b"print('adapted')"))

    def test_seeded_weights_are_called_synthetic(self):
        row = self._collected()["model.ckpt.index"]
        self.assertEqual(row["digest"]["sha256"], requests.sha256(b"index"))
        self.assertTrue(row["annotations"]["synthetic"])
        self.assertIn("seed 7", row["annotations"]["description"])

    def test_released_weights_are_named_by_their_address(self):
        self.request["repositories"].append("reproducible_tflite_released_some_model")
        self.request["weights"] = "released"
        collected = self._collected()
        self.assertEqual(
            collected["some%20model.tar.gz"],
            {
                "name": "some%20model.tar.gz",
                "uri": "https://example.org/some%20model.tar.gz?x=1",
                "digest": {"sha256": "d" * 64},
                "annotations": {
                    "kind": "published file",
                    "repositories": ["reproducible_tflite_released_some_model"],
                    "licence": "Apache-2.0",
                },
            },
        )
        self.assertNotIn("synthetic", collected["model.ckpt.index"]["annotations"])

    def _of_cpython_3_7(self, interpreter: str) -> dict[str, str]:
        self.request["repositories"].append("reproducible_tflite_cpython_3_7")
        self.request["interpreter"] = interpreter
        return {
            name: row["annotations"]["kind"]
            for name, row in self._collected().items()
            if "reproducible_tflite_cpython_3_7" in row["annotations"].get("repositories", [])
        }

    def test_a_pinned_interpreter_is_described_by_its_archive(self):
        collected = self._of_cpython_3_7("hermetic")
        self.assertEqual(collected["some%20model.tar.gz"], "published file")
        self.assertIn("some_models-1.0.post2.tar.gz", collected)

    def test_a_local_interpreter_is_described_by_the_digest_of_its_files(self):
        collected = self._of_cpython_3_7("local: 3.7.16 sha256 " + "7" * 64)
        self.assertEqual(
            collected,
            {
                "CPython 3.7.16": "local interpreter",
                "libc6_1%3a2.36-9+deb12u14_amd64.deb": "debian package",
            },
        )
        row = self._collected()["CPython 3.7.16"]
        self.assertEqual(row["digest"]["sha256"], "7" * 64)

    def test_a_dataset_is_a_material(self):
        self.request["samples"] = self.request["byproducts"]["frozen graph"]
        row = self._collected()["x.pb"]
        self.assertEqual(row["annotations"]["kind"], "representative dataset")
        self.assertEqual(row["digest"]["sha256"], requests.sha256(b"graph"))

    def test_a_debian_package_is_there_as_pinned(self):
        row = self._collected()["libc6_1%3a2.36-9+deb12u14_amd64.deb"]
        self.assertEqual(
            row["uri"],
            "pkg:deb/debian/libc6@1%3A2.36-9%2Bdeb12u14?arch=amd64&distro=bookworm",
        )
        self.assertEqual(row["digest"]["sha256"], requests.sha256(b"content of libc6"))
        self.assertNotIn("instead_of_pinned_version", row["annotations"])

    def test_a_replaced_debian_package_shows_with_its_own_digest(self):
        packages = self.request["debian_packages"]
        pathlib.Path(packages["replaced.json"]).write_text('{"libc6": "1:2.36-9+deb12u15"}')
        pathlib.Path(packages["libc6.deb"]).write_bytes(b"newer")
        collected = self._collected()
        self.assertNotIn("libc6_1%3a2.36-9+deb12u14_amd64.deb", collected)
        row = collected["libc6_1%3a2.36-9+deb12u15_amd64.deb"]
        self.assertEqual(row["digest"]["sha256"], requests.sha256(b"newer"))
        self.assertEqual(row["annotations"]["instead_of_pinned_version"], "1:2.36-9+deb12u14")

    def test_an_untold_replacement_is_refused(self):
        path = pathlib.Path(self.request["debian_packages"]["libc6.deb"])
        path.write_bytes(b"other")
        with self.assertRaisesRegex(
            cli.UserError, "@reproducible_tflite_debian//:libc6.deb.*not the lock's"
        ):
            self._collected()

    def test_a_debian_package_that_the_lock_lacks_is_refused(self):
        self.request["materials"]["reproducible_tflite_cpython_3_11"]["packages"].append(
            "@reproducible_tflite_debian//:unheard-of.deb"
        )
        with self.assertRaisesRegex(
            cli.UserError, "@reproducible_tflite_debian//:unheard-of.deb: .* no row for it"
        ):
            self._collected()

    @parameterized.parameters("unheard_of", "reproducible_tflite_pip_unheard_of", "absl_py")
    def test_a_repository_without_a_lock_is_refused(self, repository):
        self.request["repositories"].append(repository)
        with self.assertRaisesRegex(cli.UserError, f"@{repository}: no lock describes it"):
            self._collected()

    def test_every_file_of_a_folder_has_its_own_digest(self):
        folder = self.create_tempdir()
        folder.create_file("saved_model.pb", "graph")
        folder.create_file("variables/variables.index", "index")
        self.request["sources"].append({"name": "@my_nets//net", "path": folder.full_path})
        collected = self._collected()
        for name, content in (
            ("saved_model.pb", b"graph"),
            ("variables/variables.index", b"index"),
        ):
            row = collected[f"@my_nets//net/{name}"]
            self.assertEqual(row["digest"]["sha256"], requests.sha256(content))
            self.assertEqual(row["annotations"], {"kind": "source file"})

    def test_a_file_that_is_gone_is_refused(self):
        self.request["sources"].append({"name": "gone", "path": "/nowhere/gone"})
        with self.assertRaisesRegex(cli.UserError, "/nowhere/gone: its digest cannot be computed"):
            self._collected()

    def test_elsewhere_the_projects_own_files_bear_its_name(self):
        self.request["own_prefix"] = "@reproducible_tflite//"
        self.assertIn("@reproducible_tflite//third_party/some/adapt.py", self._collected())

    def test_own_weights_are_described(self):
        self.request["weights"] = "own"
        self.request["weights_description"] = "weights of model.ckpt"
        annotations = self._collected()["model.ckpt.index"]["annotations"]
        self.assertEqual(annotations["description"], "weights of model.ckpt")
        self.assertNotIn("synthetic", annotations)


if __name__ == "__main__":
    absltest.main()
