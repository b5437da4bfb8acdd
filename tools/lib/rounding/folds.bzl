"""How a converter's constants of folded batch norms were rounded: the table for rules and programs.

Use literals only: Python parses this file too (folds.py).
"""

# A name is a CPU's maker and a release of TensorFlow. "estimate" is the processor's reciprocal square root
# (estimates.py), "step" is Newton's, as Eigen has it in that release (folds.py), which is taken "steps" times; "fused" is
# whether multiply-adds are. A kernel takes "lanes" channels at a time and computes those that are left over without an
# estimate. "meaning" is the text for people.
FOLDS = {
    "intel, 2.3": {
        "estimate": "intel",
        "step": "old",
        "steps": 1,
        "fused": False,
        "lanes": 8,
        "meaning": "Intel by TensorFlow about 2.3",
    },
    "intel, 2.13": {
        "estimate": "intel",
        "step": "new",
        "steps": 1,
        "fused": False,
        "lanes": 8,
        "meaning": "Intel by TensorFlow about 2.13",
    },
    "amd, 2.3": {
        "estimate": "amd",
        "step": "old",
        "steps": 1,
        "fused": False,
        "lanes": 8,
        "meaning": "AMD by TensorFlow about 2.3",
    },
    "amd, 2.13": {
        "estimate": "amd",
        "step": "new",
        "steps": 1,
        "fused": False,
        "lanes": 8,
        "meaning": "AMD by TensorFlow about 2.13",
    },
    "arm, 2.13": {
        "estimate": "arm",
        "step": "new",
        "steps": 2,
        "fused": True,
        "lanes": 4,
        "meaning": "Arm by TensorFlow about 2.13",
    },
    "avx-512, 2.13": {
        "estimate": "avx-512",
        "step": "new",
        "steps": 1,
        "fused": True,
        "lanes": 16,
        "meaning": "AVX-512 by a TensorFlow about 2.13 that was built for it",
    },
}
