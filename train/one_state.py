"""A graph whose states go in and come out as a single tensor.

A call of the interpreter costs more than most states do, so that a graph with eight of them spends
longer being filled and emptied than computing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from streamser.model.manifest import StateShape

Operator = schema.BuiltinOperator
Options = schema.BuiltinOptions

VERSIONS = {Operator.RESHAPE: 1, Operator.SPLIT_V: 2, Operator.CONCATENATION: 2}
"""Of the kinds that are added: the first with int8."""


def with_one_state(content: bytes, names: Sequence[str]) -> tuple[bytes, tuple[StateShape, ...]]:
    """Join float inputs NAME and outputs NAME_out of an INT8 graph to `state` and `state_out`.

    These are int8, (1, n): what was quantised of each state, end to end, in the order of `names`;
    the numbers stay as they are, each on its own scale. Returns the graph and its parts.

    Raises:
        ValueError: a state changes its scale from input to output.
    """
    graph = _Graph(content)
    parts, before, after = [], [], []
    for name in names:
        head, tail = graph.inputs.pop(name), graph.outputs.pop(f"{name}_out")
        quantising, dequantising = graph.reader(head), graph.writer(tail)
        inner, outer = quantising.outputs[0], dequantising.inputs[0]
        scale, zero_point = graph.scale(inner)
        if graph.scale(outer) != (scale, zero_point):
            raise ValueError(f"{name} changes its scale from input to output")
        part = StateShape(name=name, shape=graph.shape(inner), zero_point=zero_point)
        for index in (head, tail):
            graph.make_int8(index, (1, part.size))
        graph.turn_to_reshape(quantising, part.shape)
        graph.turn_to_reshape(dequantising, (1, part.size))
        parts.append(part)
        before.append(head)
        after.append(tail)
    sizes = [part.size for part in parts]
    whole = (1, sum(sizes))
    graph.inputs["state"] = graph.add_int8("state", whole)
    graph.outputs["state_out"] = graph.add_int8("state_out", whole)
    split = schema.SplitVOptionsT()
    split.numSplits = len(parts)
    given = [graph.inputs["state"], graph.constant("sizes", sizes), graph.constant("axis", 1)]
    graph.begin_with(Operator.SPLIT_V, given, before, Options.SplitVOptions, split)
    join = schema.ConcatenationOptionsT()
    join.axis = 1
    joined = [graph.outputs["state_out"]]
    graph.end_with(Operator.CONCATENATION, after, joined, Options.ConcatenationOptions, join)
    return graph.content(), tuple(parts)


class _Graph:
    """A TFLite file with one graph and one signature, to be changed."""

    def __init__(self, content: bytes) -> None:
        self._model = flatbuffer_utils.convert_bytearray_to_object(content)
        (self._graph,), (self._signature,) = self._model.subgraphs, self._model.signatureDefs
        self._tensors = self._graph.tensors
        self.inputs = {t.name.decode(): t.tensorIndex for t in self._signature.inputs}
        self.outputs = {t.name.decode(): t.tensorIndex for t in self._signature.outputs}

    def reader(self, index: int) -> Any:
        """Return the one operator that reads a tensor."""
        (found,) = (op for op in self._graph.operators if index in op.inputs)
        return found

    def writer(self, index: int) -> Any:
        """Return the operator that writes it."""
        (found,) = (op for op in self._graph.operators if index in op.outputs)
        return found

    def scale(self, index: int) -> tuple[float, int]:
        """Return the scale and zero point of an int8 tensor."""
        quantisation = self._tensors[index].quantization
        return float(quantisation.scale[0]), int(quantisation.zeroPoint[0])

    def shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of a tensor."""
        return tuple(int(n) for n in self._tensors[index].shape)

    def make_int8(self, index: int, shape: tuple[int, ...]) -> None:
        """Let a tensor be bytes without a scale."""
        tensor = self._tensors[index]
        tensor.type, tensor.shape = schema.TensorType.INT8, np.array(shape, np.int32)
        tensor.shapeSignature = None

    def add_int8(self, name: str, shape: tuple[int, ...]) -> int:
        """Add such a tensor; return its index."""
        index = self._add(name, buffer=0)
        self.make_int8(index, shape)
        return index

    def constant(self, name: str, values: Any) -> int:
        """Add whole numbers; return their index."""
        numbers = np.asarray(values, np.int32)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(numbers.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        index = self._add(name, buffer=len(self._model.buffers) - 1)
        self._tensors[index].type = schema.TensorType.INT32
        self._tensors[index].shape = np.array(numbers.shape, np.int32)
        return index

    def turn_to_reshape(self, op: Any, shape: tuple[int, ...]) -> None:
        """Let an operator of one input reshape it instead."""
        op.opcodeIndex = self._code(Operator.RESHAPE)
        op.inputs = np.array([op.inputs[0], self.constant("shape", shape)], np.int32)
        op.builtinOptionsType, op.builtinOptions = Options.NONE, None

    def begin_with(self, kind: int, given: Any, made: Any, options: int, what: Any) -> None:
        """Add an operator before all others."""
        self._graph.operators.insert(0, self._operator(kind, given, made, options, what))

    def end_with(self, kind: int, given: Any, made: Any, options: int, what: Any) -> None:
        """Add an operator after all others."""
        self._graph.operators.append(self._operator(kind, given, made, options, what))

    def content(self) -> bytes:
        """Return the file."""
        for ends, tensors in (("inputs", self.inputs), ("outputs", self.outputs)):
            setattr(self._graph, ends, np.array(list(tensors.values()), np.int32))
            setattr(self._signature, ends, [_named(*each) for each in tensors.items()])
        return bytes(flatbuffer_utils.convert_object_to_bytearray(self._model))

    def _add(self, name: str, *, buffer: int) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.buffer = name.encode(), buffer
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _operator(self, kind: int, given: Any, made: Any, options: int, what: Any) -> Any:
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(kind)
        operator.inputs, operator.outputs = np.array(given, np.int32), np.array(made, np.int32)
        operator.builtinOptionsType, operator.builtinOptions = options, what
        return operator

    def _code(self, kind: int) -> int:
        codes = self._model.operatorCodes
        for index, code in enumerate(codes):
            if code.builtinCode == kind:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = kind, VERSIONS[kind]
        code.deprecatedBuiltinCode = min(kind, 127)
        codes.append(code)
        return len(codes) - 1


def _named(name: str, index: int) -> Any:
    tensor = schema.TensorMapT()
    tensor.name, tensor.tensorIndex = name.encode(), index
    return tensor
