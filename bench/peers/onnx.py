"""Graphs for onnxruntime, as they are or in int8."""

import warnings
from pathlib import Path

import onnxruntime as ort
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic


def export(module, example, names, outputs, path):
    """Writes a graph whose inputs are [batch, length]."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            example,
            str(path),
            input_names=names,
            output_names=outputs,
            dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
            opset_version=17,
            dynamo=False,
        )


def quantized(path):
    """Dynamic int8 as sentence-transformers exports it for `avx512_vnni`: weights with a
    sign and a scale a column, activations without a sign."""
    target = Path(path).with_suffix(".int8.onnx")
    quantize_dynamic(path, target, per_channel=True, weight_type=QuantType.QInt8)
    return target


def session(path, threads):
    """A session on a graph's file, which goes."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    made = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    Path(path).unlink()
    return made
