"""How a converter's constants of folded batch norms were rounded: the table for rules and programs.

Use literals only: Python parses this file too (folds.py).
"""

# A name is a CPU's maker and a release of TensorFlow: 2.3 stands for 2.3 to 2.12, and 2.13 for later ones. On an Intel
# CPU, 2.3.4, 2.4.4, 2.10.1 and 2.12.0 take the old step; 2.13.0, 2.15.1 and 2.17.1 take the new one; 1.14.0 and 1.15.5
# take neither. None of these uses AVX-512, though that CPU has it; a TensorFlow must be built for it.
#
# "estimate" is the processor's reciprocal square root (estimates.py), "step" is Newton's, as Eigen has it in that
# release (folds.py), which is taken "steps" times; "fused" is whether multiply-adds are. A kernel takes "lanes" channels
# at a time and computes those that are left over without an estimate. "meaning" is the text for people.
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
