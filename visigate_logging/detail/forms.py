"""The plain form of objects that are no plain values: what a person would search for, and no more work than that.

Libraries are recognised by the names of a type and never imported. An object's own code runs only where nothing but
its ``repr`` is left: types are asked past their metaclass, and what an object holds is read past its properties.
"""

import sys
from collections.abc import Iterator
from datetime import date, datetime, time
from enum import Enum
from pathlib import PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from types import GetSetDescriptorType, MappingProxyType, MemberDescriptorType, SimpleNamespace
from typing import Any

MAX_BYTES = 4096
"""Bytes that are kept of a bytes object."""

_AS_TEXT = {
    ("uuid", "UUID"),
    ("decimal", "Decimal"),
    ("fractions", "Fraction"),
    ("datetime", "timedelta"),
    ("ipaddress", "_BaseAddress"),
    ("ipaddress", "_BaseNetwork"),
}
"""Types whose ``str()`` is what is looked for."""

_SHAPED = (("numpy", "ndarray"), ("pandas", "DataFrame"), ("pandas", "Series"), ("torch", "Tensor"))
MAX_DTYPE = 200
"""Characters that are kept of the kind of values in an array."""

C_DEFINED = (GetSetDescriptorType, MemberDescriptorType)  # they read memory, and run no code of the object's
MISSING = object()

_name = type.__dict__["__name__"].__get__
_module = type.__dict__["__module__"].__get__
bases_of = type.__dict__["__mro__"].__get__
_own = type.__dict__["__dict__"].__get__


def type_name(value: object) -> str:
    """Return the name of an object's type, whatever its metaclass says."""
    name: str = _name(type(value))
    return name


def plain_form(value: Any) -> Any:
    """Return an object as a text, a number or a mapping of what it holds; not yet bounded where that costs no work.

    Raises:
        Exception: whatever the object raises when its ``repr`` is asked.
    """
    for kind, form in _STANDARD:
        if issubclass(type(value), kind):
            return form(value)
    bases = bases_of(type(value))
    if (known := _of_library(value, bases)) is not MISSING:
        return known
    fields = _fields(value, bases)
    return str.__str__(repr(value)) if fields is None else fields


def _enum(value: Enum) -> str:
    name = stored(value, "_name_", bases_of(type(value)))
    return f"{type_name(value)}.{name}" if type(name) is str else f"{type_name(value)}.{value._value_!r}"


def _bytes(value: bytes | bytearray | memoryview) -> str:
    more = len(value) - MAX_BYTES
    text = bytes(value[:MAX_BYTES]).decode("utf-8", "backslashreplace")
    return f"{text}[… {more} bytes cut …]" if more > 0 else text


_STANDARD: tuple[tuple[type | tuple[type, ...], Any], ...] = (
    (Enum, _enum),  # first: a member may be a text or a number as well
    ((bytes, bytearray, memoryview), _bytes),
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    ((date, time), lambda value: value.isoformat()),
    (PurePath, PurePath.__str__),
    (SimpleNamespace, SimpleNamespace.__dict__["__dict__"].__get__),
)


def _of_library(value: Any, bases: tuple[Any, ...]) -> Any:
    for base in bases:
        names = (_module(base), _name(base))
        if names in _AS_TEXT and is_really(base, *names):
            return base.__str__(value)
        if names == ("numpy", "generic") and is_really(base, *names):
            return _number(value, base, _own(base)["dtype"].__get__(value).kind)
        if names == ("array", "array"):
            return f"<array of {len(value)} {value.typecode!r}>"
    shape, kind = stored(value, "shape", bases, C_DEFINED), stored(value, "dtype", bases, C_DEFINED)
    if shape is MISSING or kind is MISSING:
        return MISSING
    return f"<{type_name(value)} of {kind}, shape {tuple(shape)}>"


def is_really(base: type, module: Any, name: str) -> bool:
    """Return whether a type is what its names say: an object of the application may bear them, too."""
    # Not getattr: a module's own __getattr__ may import something, or warn.
    return getattr(sys.modules.get(module), "__dict__", {}).get(name) is base


def _number(value: Any, base: Any, kind: str) -> Any:
    """Return a scalar of numpy as a number, or as the text of one that Python has no type for."""
    if kind == "V":
        return f"<{type_name(value)} of {value.nbytes} bytes>"
    plain = base.item(value) if kind in "biuf" else value
    return plain if type(plain) in {bool, int, float} else str(value)


def plain_standard(value: Any) -> Any:
    """Return a value of the standard library, or a number of numpy's, as a text or a number; else ``MISSING``.

    Nothing else is run: of a class that the application has made of one it is what that one has stored.
    """
    kind = type(value)
    if issubclass(kind, Enum):
        name = stored(value, "_name_", bases_of(kind))
        return f"{type_name(value)}.{name}" if type(name) is str else MISSING
    for base, form in _STORED:
        if issubclass(kind, base):
            return form(value)
    if any(kind is one for one in _EXACT) or any(is_really(kind, *names) for names in _AS_TEXT):
        return str(value)
    for base in bases_of(kind) if is_really(kind, "numpy", _name(kind)) else ():
        if is_really(base, "numpy", "generic"):
            return _number(value, base, _own(base)["dtype"].__get__(value).kind)
    return MISSING


_STORED: tuple[tuple[type, Any], ...] = ((str, str.__str__), (int, int.__int__), (float, float.__float__))
_EXACT = (datetime, date, time, PosixPath, WindowsPath, PurePosixPath, PureWindowsPath)


def own_fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Give what an object holds under its names, read without running code of its own."""
    bases = bases_of(type(value))
    held = stored(value, "__dict__", bases, C_DEFINED)
    if type(held) is dict:
        yield from ((name, one) for name, one in held.items() if type(name) is str)
    for base in bases:
        for name, slot in _own(base).items():
            if type(slot) is MemberDescriptorType and _module(base) != "builtins":
                found = stored(value, name, (base,))
                if found is not MISSING:
                    yield name, found


def _fields(value: Any, bases: tuple[type, ...]) -> dict[str, Any] | None:
    """Return what a dataclass, an object of attrs or a Pydantic model holds, without what its repr leaves out."""
    for base in bases:
        own = _own(base)
        for names in (_of_dataclass(own), _of_attrs(own), _of_pydantic(own)):
            if names is not None:
                found = ((name, stored(value, name, bases)) for name in names)
                return {name: held for name, held in found if held is not MISSING}
    return None


def _of_dataclass(own: MappingProxyType[str, Any]) -> Iterator[str] | None:
    fields = own.get("__dataclass_fields__")
    return (n for n, field in fields.items() if _is_shown(field)) if type(fields) is dict else None


def _of_attrs(own: MappingProxyType[str, Any]) -> Iterator[str] | None:
    fields = own.get("__attrs_attrs__")
    return (field.name for field in fields if _is_shown(field)) if isinstance(fields, tuple) else None


def _of_pydantic(own: MappingProxyType[str, Any]) -> Iterator[str] | None:
    if "__pydantic_validator__" in own:  # its fields stand under one name or the other, by version
        fields = own.get("__pydantic_fields__", own.get("model_fields"))
    else:
        fields = own.get("__fields__") if "__pydantic_model__" in own or "__validators__" in own else None
    return (n for n, field in fields.items() if _is_shown(field)) if type(fields) is dict else None


def _is_shown(field: Any) -> bool:
    return getattr(getattr(field, "field_info", field), "repr", True) is not False  # field_info: Pydantic 1


def stored(value: Any, name: str, bases: tuple[type, ...], kinds: tuple[type, ...] = (MemberDescriptorType,)) -> Any:
    """Return what an object holds under a name, read without running code of its own."""
    for base in bases:
        found = _own(base).get(name, MISSING)
        if type(found) in kinds:
            try:
                return found.__get__(value)
            except AttributeError:  # a slot that was not filled
                return MISSING
    if kinds is C_DEFINED:
        return MISSING
    held = stored(value, "__dict__", bases, C_DEFINED)
    return held.get(name, MISSING) if type(held) is dict else MISSING


def shape_of(value: Any) -> str:
    """Return the type, shape and kind of values of an array or a table, asked of its library's own class."""
    for base in bases_of(type(value)):
        for module, name in _SHAPED:
            if is_really(base, module, name):
                dtype = stored(value, "dtype", (base,), C_DEFINED)
                kind = "" if dtype is MISSING else f" of {dtype}"
                return f"<{type_name(value)}{kind[:MAX_DTYPE]}, shape {tuple(base.shape.__get__(value))}>"
    return ""
