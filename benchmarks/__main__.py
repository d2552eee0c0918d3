"""Run all measurements, or those that are named: ``python -m benchmarks [NAME …]``."""

import importlib
import pkgutil
import sys

import benchmarks


def main() -> int:
    """Run each module of this folder that has a ``main``."""
    names = sys.argv[1:] or sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name[0] != "_")
    for name in names:
        module = importlib.import_module(f"benchmarks.{name}")
        if hasattr(module, "main"):
            print(f"\n== {name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
            module.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
