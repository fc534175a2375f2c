"""hayasa (速さ): how fast a language model runs on a device, and how sure that is.

>>> import hayasa
>>> m4 = hayasa.Device(id="m4", memory_bandwidth_bytes_per_s=120e9)
>>> seven_b = hayasa.Model(id="7b", stated_parameters=7e9)
>>> int4 = hayasa.WeightFormat(id="int4", bits_per_weight=4)
>>> int(hayasa.estimate(seven_b, m4, weights=int4, engine="ideal").decode_tokens_per_s)
34
"""

__version__ = "0.1.0"


def _public() -> dict[str, str]:
    """Return the module of each public name, as ``__init__.pyi`` lists them."""
    with open(f"{__file__}i", encoding="utf-8") as stub:
        imports = [line.split() for line in stub if line.startswith("from .")]
    return {name: module for _, module, _, _, _, name in imports}


def __getattr__(name: str) -> object:
    # `import hayasa` itself costs next to nothing: modules come with their first name.
    public = _public()
    if name == "__all__":
        return sorted(public)
    if name not in public:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(public[name], __name__), name)
    globals()[name] = _checked(value)
    return globals()[name]


def _checked(value: object) -> object:
    """Return what is public; a function refuses objects that are not of the package's own kinds.

    Inside the package nobody mistakes a model for its name, so this is looked at once, at the door.
    """
    from functools import wraps
    from inspect import isclass, signature

    if isclass(value) or not callable(value):
        return value
    function = value
    own = ("Model", "Device", "WeightFormat", "Estimate", "Placement | None", "Energy")
    parameters = signature(function).parameters
    kinds = {name: str(one.annotation).split()[0] for name, one in parameters.items() if one.annotation in own}
    if not kinds:
        return function

    @wraps(function)
    def checked(*arguments: object, **named: object) -> object:
        from .errors import require_kind

        for name, given in (*zip(parameters, arguments, strict=False), *named.items()):
            if name in kinds and not (given is None and parameters[name].default is None):
                require_kind(name, given, __getattr__(kinds[name]))  # type: ignore[arg-type]
        return function(*arguments, **named)

    return checked


def __dir__() -> list[str]:
    return sorted({*globals(), *_public()})
