"""The stub says what the extension has."""

import ast
import inspect
from pathlib import Path

import gradus
from gradus import _gradus

STUB = ast.parse((Path(gradus.__file__).parent / "_gradus.pyi").read_text())


def parameters(function):
    names = [own.arg for own in function.args.args if own.arg not in ("self", "cls")]
    return names, [own.arg for own in function.args.kwonlyargs]


def of_runtime(thing):
    kinds = inspect.Parameter
    all_of = inspect.signature(thing).parameters.values()
    names = [own.name for own in all_of if own.kind is not kinds.KEYWORD_ONLY and own.name != "self"]
    return names, [own.name for own in all_of if own.kind is kinds.KEYWORD_ONLY]


def test_names_and_parameters_are_those_of_the_extension():
    seen = set()
    for item in STUB.body:
        if isinstance(item, ast.FunctionDef):
            seen.add(item.name)
            assert parameters(item) == of_runtime(getattr(_gradus, item.name)), item.name
        if isinstance(item, ast.ClassDef):
            seen.add(item.name)
            own = getattr(_gradus, item.name)
            members = {m.name: m for m in item.body if isinstance(m, ast.FunctionDef)}
            there = {name for name in vars(own) if not name.startswith("_")}
            assert there == {name for name in members if not name.startswith("_")}, item.name
            for name, member in members.items():
                if name == "__new__":
                    assert parameters(member) == of_runtime(own), item.name
                elif not member.decorator_list:
                    assert parameters(member) == of_runtime(getattr(own, name)), (item.name, name)
    public = {name for name in vars(_gradus) if not name.startswith("_")}
    assert public == seen
