"""What tests measure on the published weights of models; cards state it, and the tests expect it."""

_ENLARGED = "{} dB of PSNR, of one photograph of 427x640 pixels that was halved and enlarged again (tests/released:edsr_test)."

_WAKE_WORDS = "{} of the 45 samples with which mlcommons/tiny calibrates are put into the right one of three classes, 15 of each " + \
              "(tests/released:str_ww_int8_test)."

# By model: the figure, and a sentence with it.
MEASURED = {
    "basic_pitch": {
        "text": "All {} notes of nine made sounds are heard, and no other, from C2 to A6; starts and ends to 0.1 s " +
                "(tests/models/basic_pitch:sounds_test).",
        "value": 13,
    },
    "edsr_f32b5_fp32": {"text": _ENLARGED, "value": 31.71},
    "edsr_f32b5_int8": {"text": _ENLARGED, "value": 31.61},
    "edsr_f32b5_qat": {"text": _ENLARGED, "value": 31.61},
    "str_ww_float": {"text": _WAKE_WORDS, "value": 41},
    "str_ww_int8": {"text": _WAKE_WORDS, "value": 41},
}

# For tests.
MEASURED_JSON = json.encode_indent({name: row["value"] for name, row in MEASURED.items()})

def measured(name):
    """Returns the sentence for a model's card; "" if no test measures it."""
    return MEASURED[name]["text"].format(MEASURED[name]["value"]) if name in MEASURED else ""
