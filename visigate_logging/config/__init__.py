"""One YAML file: loaded, checked, applied and watched."""
