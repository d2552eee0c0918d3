"""What a step may be pointed at."""


def refuse_other_databases(*paths: str) -> None:
    """Refuse what is no path of a SQLite file.

    Raises:
        ValueError: saying so.
    """
    for path in paths:
        scheme, found, rest = path.partition("://")
        if not path:
            raise ValueError("a path is empty; give that of a SQLite file")
        if found and scheme.startswith("sqlite"):
            raise ValueError(f"{path!r} is a URL; write the path of the SQLite file: {rest.lstrip('/') or 'PATH'!r}")
        if found:
            raise ValueError(
                f"{path!r} is not a SQLite file. Databases of a server ({scheme}) are beyond this step: restore them "
                "with their own tools, by the step command"
            )
