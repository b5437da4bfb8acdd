"""What the steps from a checkpoint to a .tflite hand to each other."""

ArchitectureInfo = provider(
    doc = "A model's graph code with its options.",
    fields = {
        "graph_code": "FilesToRunProvider: the program that seeds and exports, `tools/steps/architectures/program.py` behind it.",
        "options": "list of strings: the flags that make this model of it.",
        "preprocessing": "string: a key of PREPROCESSINGS.",
        "arrays": "list of strings: the inputs and outputs that an exported graph offers; empty when not declared.",
    },
)

CheckpointInfo = provider(
    doc = "The trained, or seeded, variables of a model.",
    fields = {
        "prefix": "string: the path that TensorFlow calls the checkpoint, `DIR/model.ckpt` for `DIR/model.ckpt.index`; empty when the variables came as constants of a graph.",
        "files": "depset of Files: the `.index` and the `.data-?????-of-?????`; empty likewise.",
        "weights": "string: `seeded` or `released`.",
        "quantization_aware": "bool: whether the variables hold quantization ranges.",
        "description": "string: one line for people that says where the weights come from.",
    },
)

FrozenGraphInfo = provider(
    doc = "A GraphDef with its variables as constants, in canonical form.",
    fields = {
        "graph": "File: the serialized GraphDef.",
        "checkpoint": "CheckpointInfo: where its constants come from.",
        "preprocessing": "string: a key of PREPROCESSINGS, what its input expects.",
        "arrays": "list of strings: the inputs and outputs that it offers; empty when not declared.",
    },
)

SavedModelInfo = provider(
    doc = "A TensorFlow 2 SavedModel.",
    fields = {
        "path": "string: its folder, the one with `saved_model.pb`.",
        "files": "depset of Files: what is in the folder, or the folder itself.",
        "checkpoint": "CheckpointInfo: its variables.",
        "preprocessing": "string: a key of PREPROCESSINGS, what its input expects.",
    },
)

RepresentativeDatasetInfo = provider(
    doc = "Inputs on which post-training quantization measures its ranges.",
    fields = {
        "samples": "File: numpy's .npz, an array [count, ...] for every input by its name; photographs are uint8 pixels.",
    },
)

TfliteInfo = provider(
    doc = "A TensorFlow Lite model.",
    fields = {
        "model": "File: the .tflite, in canonical form.",
        "raw": "File: the .tflite as the converter gave it, but for the order of custom options' keys and the names of INT8 ends.",
        "graph": "FrozenGraphInfo: what was converted.",
        "converter": "string: `toco` or `mlir`.",
        "tensorflow_version": "string: the TensorFlow that converted, as in `2.15.1`.",
        "interpreter": "string: the CPython on which it converted, as `TensorflowToolchainInfo.interpreter`.",
    },
)
