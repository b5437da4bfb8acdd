"""The providers of the steps from a checkpoint to a .tflite."""

ArchitectureInfo = provider(
    doc = "A model's graph code with its options.",
    fields = {
        "graph_code": "FilesToRunProvider: the program that seeds and exports, based on `tools/steps/architectures/program.py`.",
        "options": "list of strings: the program's flags for this model.",
        "preprocessing": "string: a key of PREPROCESSINGS.",
        "arrays": "list of strings: the inputs and outputs of an exported graph that a recipe may name; empty if not declared.",
    },
)

CheckpointInfo = provider(
    doc = "The trained or seeded variables of a model.",
    fields = {
        "prefix": "string: TensorFlow's path of the checkpoint, `DIR/model.ckpt` for `DIR/model.ckpt.index`; empty if the variables are constants of a published graph.",
        "files": "depset of Files: the `.index` and the `.data-?????-of-?????`; empty likewise.",
        "weights": "string: `seeded`, `released`, or `own` for a file that a label names.",
        "quantization_aware": "bool: whether the variables include quantization ranges.",
        "description": "string: a line for people about the origin of the weights.",
    },
)

FrozenGraphInfo = provider(
    doc = "A GraphDef with its variables as constants, in canonical form.",
    fields = {
        "graph": "File: the serialized GraphDef.",
        "checkpoint": "CheckpointInfo: the source of its constants.",
        "preprocessing": "string: a key of PREPROCESSINGS, the preprocessing of its input; empty if none is stated.",
        "arrays": "list of strings: the inputs and outputs that a recipe may name; empty if not declared.",
        "signature": "File: JSON, the inputs and outputs of the graph as its source states them (`tools/lib/signature/signature.py`); None if the source states none.",
    },
)

SavedModelInfo = provider(
    doc = "A TensorFlow 2 SavedModel.",
    fields = {
        "path": "string: the folder of `saved_model.pb`.",
        "files": "depset of Files: the files in the folder, or the folder itself.",
        "checkpoint": "CheckpointInfo: its variables.",
        "preprocessing": "string: a key of PREPROCESSINGS, the preprocessing of its input.",
    },
)

RepresentativeDatasetInfo = provider(
    doc = "Inputs on which post-training quantization measures its ranges.",
    fields = {
        "samples": "File: numpy's .npz with an array [count, ...] for every input, by name; photographs are uint8 pixels.",
    },
)

TfliteInfo = provider(
    doc = "A TensorFlow Lite model.",
    fields = {
        "model": "File: the .tflite, in canonical form.",
        "raw": "File: the converter's .tflite, with sorted keys of custom options and the graph's names for INT8 inputs and outputs; of a `tflite_file`, the given file, and of a `quantized_model`, litert-quantizer's.",
        "graph": "FrozenGraphInfo: the converted graph; None for a model that was not converted here.",
        "checkpoint": "CheckpointInfo: the origin of its weights.",
        "preprocessing": "string: a key of PREPROCESSINGS, the preprocessing of its input; empty if none is stated.",
        "converter": "string: `toco` or `mlir`; empty for a model that was not converted here.",
        "tensorflow_version": "string: the version of the TensorFlow that converted, as in `2.15.1`; empty likewise.",
        "interpreter": "string: the CPython on which it converted, see `TensorflowToolchainInfo.interpreter`; empty likewise.",
    },
)
