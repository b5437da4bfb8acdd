from absl.testing import absltest

from third_party.adapt import source_tree
from third_party.transformers import adapt


class AdaptTest(absltest.TestCase):
    def test_places_what_mobilebert_imports(self):
        for member, wanted in (
            ("transformers/__init__.py", True),
            ("transformers/utils/hub.py", True),
            ("transformers/models/__init__.py", True),
            ("transformers/models/vit/__init__.py", True),
            ("transformers/models/auto/modeling_tf_auto.py", True),
            ("transformers/models/mobilebert/modeling_tf_mobilebert.py", True),
            ("transformers-4.37.2.dist-info/LICENSE", True),
            ("transformers/models/vit/modeling_vit.py", False),
            ("transformers/models/deprecated/mmbt/modeling_mmbt.py", False),
            ("transformers/kernels/mra/cuda_kernel.cu", False),
            ("transformers-4.37.2.dist-info/RECORD", False),
        ):
            with self.subTest(member):
                self.assertEqual(adapt.place(member), member if wanted else None)

    def test_padding_gets_a_score_of_its_own(self):
        files: dict[str, bytes] = {}
        for change in adapt.REPLACEMENTS:
            files[change.path] = files.get(change.path, b"") + change.old.encode()
        changed = source_tree.replace(files, adapt.REPLACEMENTS)
        (model,) = (text for path, text in changed.items() if path.endswith("_mobilebert.py"))
        self.assertIn(b"* attention_mask + (1.0 - attention_mask) * -6.0", model)
        self.assertNotIn(b"10000", model)


if __name__ == "__main__":
    absltest.main()
