"""The places settings are read from, each one pydantic-settings source that remembers where a value stood.

Every place is a flat list of names and values; the table of entries says which path a name means. An empty
value counts as unset, `<NAME>_FILE` (in TOML `<name>_file`) reads a secret from a file, and a name nobody
knows is a mistake. Checking the values is left to the tree.
"""

import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from config.entries import Entry
from config.mistakes import Origin, unknown

HERE = Path(__file__).resolve().parent
SECRET_BYTES_MAX = 65_536

# Kubernetes puts such names into every container beside a service called "parley"; they are not ours.
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
SERVICE_LINK = re.compile(r"PARLEY_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)=.*", re.DOTALL)


class Layer(PydanticBaseSettingsSource):
    """One place. `origins` tells by path what it sets, `mistakes` what in it cannot be understood."""

    def __init__(self, tree: type[BaseSettings], where: str, *, is_default: bool = False) -> None:
        super().__init__(tree)
        self.where = where
        self.is_default = is_default
        self.values: dict[str, Any] = {}
        self.origins: dict[str, Origin] = {}
        self.mistakes: list[str] = []

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The library's hook for sources that look field by field; this one was filled before."""
        return self.values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self.values

    def origin(self, name: str) -> Origin:
        return Origin(name=name, where=self.where, is_default=self.is_default)

    def put(self, name: str, path: str, value: Any) -> None:
        """Set `path`, which stands here under `name`; twice is a mistake."""
        if path in self.origins:
            self.mistakes.append(
                f"{self.origin(name)}: {self.origins[path].name} says it already; keep one of them"
            )
            return
        self.origins[path] = self.origin(name)
        *group, leaf = path.split(".")
        target = self.values.setdefault(group[0], {}) if group else self.values
        target[leaf] = value

    def put_file(self, name: str, path: str, file: Path) -> None:
        """Set `path` to the text of `file`, without the space around it."""
        try:
            with file.open("rb") as opened:
                data = opened.read(SECRET_BYTES_MAX + 1)
            text = data.decode().strip()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            self.mistakes.append(f"{self.origin(name)}: cannot read {str(file)!r}: {reason}")
            return
        if not text or len(data) > SECRET_BYTES_MAX:
            self.mistakes.append(
                f"{self.origin(name)}: {str(file)!r} is empty or too large; "
                f"allowed: 1 to {SECRET_BYTES_MAX} bytes of text"
            )
            return
        self.put(name, path, text)


def layers(
    tree: type[BaseSettings],
    known: tuple[Entry, ...],
    *,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    cwd: Path | None,
) -> tuple[Layer, ...]:
    """Every place, the strongest first."""
    folders = (Path.cwd(), HERE.parent) if cwd is None else (cwd,)
    dotenv, local = _first(folders, ".env"), _first(folders, "config/local.toml")
    # Not interpolated: a `${` in a password means itself.
    written = dotenv_values(dotenv, interpolate=False) if dotenv else {}
    computed = Layer(tree, "the user's data folder", is_default=True)
    computed.put("home", "home", data_folder(environ))
    for entry in known:
        if "." in entry.path:  # a group nobody wrote to is still there, with all of it unset
            computed.values.setdefault(entry.path.split(".")[0], {})
    return (
        _flags(Layer(tree, "the command line"), known, flags),
        _variables(Layer(tree, "environment"), known, environ, folders[0]),
        _variables(Layer(tree, ".env"), known, written, folders[0]),
        _toml(Layer(tree, "config/local.toml"), known, local, folders[0]),
        _toml(Layer(tree, "config/default.toml", is_default=True), known, HERE / "default.toml", folders[0]),
        computed,
    )


def data_folder(environ: Mapping[str, str]) -> Path:
    """Where this user's programs keep their data.

    https://specifications.freedesktop.org/basedir-spec/latest/ : a relative XDG_DATA_HOME is to be ignored.
    """
    user = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    if sys.platform == "darwin":
        return user / "Library" / "Application Support" / "parley"
    told = Path(environ.get("XDG_DATA_HOME", ""))
    return (told if told.is_absolute() else user / ".local" / "share") / "parley"


def _first(folders: tuple[Path, ...], name: str) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _flags(layer: Layer, known: tuple[Entry, ...], flags: Mapping[str, Any]) -> Layer:
    names = {entry.path: entry.path for entry in known}
    for name, value in flags.items():
        if name in names and value is not None and value != "":
            layer.put(name, names[name], value)
        elif name not in names:
            layer.mistakes.append(unknown(layer.origin(name), names))
    return layer


def _variables(
    layer: Layer, known: tuple[Entry, ...], items: Mapping[str, str | None], folder: Path
) -> Layer:
    names = {entry.environment: entry.path for entry in known}
    files = {f"{entry.environment}_FILE": entry.path for entry in known if entry.secret}
    paths_as_names = {f"PARLEY_{entry.path.replace('.', '__').upper()}": entry.environment for entry in known}
    for name, value in items.items():
        if not value:
            continue
        if name in names:
            layer.put(name, names[name], value)
        elif name in files:
            layer.put_file(name, files[name], folder / value)
        elif name.startswith("PARLEY_") and not _is_service_link(name, value):
            nearest = [paths_as_names[name]] if name in paths_as_names else [*names, *files]
            layer.mistakes.append(unknown(layer.origin(name), nearest))
    return layer


def _is_service_link(name: str, value: str) -> bool:
    return bool(SERVICE_LINK.match(f"{name}=")) and (name != "PARLEY_PORT" or "://" in value)


def _toml(layer: Layer, known: tuple[Entry, ...], file: Path | None, folder: Path) -> Layer:
    names = {entry.path: entry.path for entry in known}
    files = {f"{entry.path}_file": entry.path for entry in known if entry.secret}
    for name, value in _flat(layer, file, names).items():
        if name in names and value != "":
            layer.put(name, names[name], value)
        elif name in files and value != "":
            layer.put_file(name, files[name], folder / str(value))
        elif name not in names and name not in files:
            layer.mistakes.append(unknown(layer.origin(name), [*names, *files]))
    return layer


def _flat(layer: Layer, file: Path | None, names: Mapping[str, str]) -> dict[str, Any]:
    """The file's tables as dotted names; deeper tables stay values, which the tree then refuses."""
    if file is None:
        return {}
    try:
        read = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        layer.mistakes.append(f"{layer.where}: cannot be read as TOML: {_plain(error)}")
        return {}
    flat: dict[str, Any] = {}
    for name, value in read.items():
        inside = {f"{name}.{leaf}": inner for leaf, inner in value.items()} if isinstance(value, dict) else {}
        flat |= inside or ({} if value == {} else {name: value})
    return flat


def _plain(error: OSError | ValueError) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)
