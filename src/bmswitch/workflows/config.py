"""Reads the configuration file and explains each error by file, line, key, what was expected and the nearest known key."""

import difflib
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from bmswitch.model.config import (
    AnyNode,
    CommandProvision,
    Config,
    EnvoyNode,
    LocalProvision,
    NginxNode,
    Replication,
    Rights,
    RightsCommand,
    Secret,
    Site,
)
from bmswitch.model.errors import ConfigError
from bmswitch.workflows.cures import check_disabled

Part = TypeVar("Part")
Way = TypeVar("Way")
_AT = re.compile(r" - at `(?P<path>[^`]+)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>[^`]+)`")
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_SCHEMA_HINT = "bmswitch config schema"


def load_config(path: Path) -> Config:
    """The file as a `Config`; relative paths in it are taken from the file's own folder.

    Raises:
        ConfigError: unreadable, not YAML, or not what the types say.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the configuration file {path} can not be read",
            evidence=str(error),
            next_command="name another one with -c FILE, or make a lab with `bmswitch lab up`",
        ) from error
    node = _compose(text, path)
    _refuse_duplicates(node, path, "$")
    data = yaml.safe_load(text)
    try:
        config = msgspec.convert(data, Config)
    except msgspec.ValidationError as error:
        raise _explain(str(error), node, path) from error
    _check_secrets(config, node, path)
    _check_page(config, node, path)
    _check_two(config, node, path)
    config = _with_kafkas(config, node, path)
    check_disabled(
        config.replication.disabled_cures,
        f"{path}:{_locate(node, '$.replication.disabled_cures')[1]}: ",
    )
    return _with_base(config, path.resolve().parent)


def config_hash(config: Config) -> str:
    """SHA-256 (hex) of the configuration's canonical form: the same meaning gives the same hash."""
    return hashlib.sha256(msgspec.json.encode(config, order="sorted")).hexdigest()


def config_schema() -> dict[str, Any]:
    """JSON Schema of the configuration file, generated from its types."""
    return msgspec.json.schema(Config)


def read_secret(secret: Secret) -> str:
    """The secret itself, without the line end.

    Raises:
        ConfigError: the variable is not set, the file is not readable or open to other users.
    """
    if secret.env:
        value = os.environ.get(secret.env, "")
        if not value:
            raise ConfigError(
                f"the environment variable {secret.env} is not set",
                evidence="the configuration names it as the place of a secret",
                next_command=f"export {secret.env}=... and run the command again",
            )
        return value
    path = Path(secret.file)
    try:
        mode = path.stat().st_mode
        value = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"the secret file {path} can not be read", evidence=str(error)) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"the secret file {path} is open to other users",
            evidence=f"mode {stat.S_IMODE(mode):04o}, expected 0600",
            next_command=f"chmod 600 {path}",
        )
    if not value:
        raise ConfigError(f"the secret file {path} is empty")
    return value


def _compose(text: str, path: Path) -> yaml.Node:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(
            f"{where}: this is not YAML", evidence=str(getattr(error, "problem", None) or error)
        ) from error
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}:1: expected keys and values", evidence="the file is empty or a list")
    return node


def _refuse_duplicates(node: yaml.Node, path: Path, at: str) -> None:
    """YAML lets a later key silently win: the operator would not see which of two he edits."""
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _refuse_duplicates(child, path, f"{at}[{index}]")
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, child in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in seen:
            raise ConfigError(
                f"{path}:{line}: {_pretty(at, name)} is given twice", evidence=f"first in line {seen[name]}"
            )
        seen[name] = line
        _refuse_duplicates(child, path, f"{at}.{name}")


def _explain(message: str, root: yaml.Node, path: Path) -> ConfigError:
    """One msgspec message as file, line, key, expectation and nearest known key."""
    found = _AT.search(message)
    at = found["path"] if found else "$"
    what = message[: found.start()] if found else message
    node, line = _locate(root, at)
    hint = ""
    if unknown := _UNKNOWN.search(what):
        field = unknown["field"]
        line = _key_line(node, field) or line
        known = _known_keys(at, node)
        nearest = difflib.get_close_matches(field, known, n=1)
        what = f"{_pretty(at, field)} is no key of the configuration"
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        hint += "known here: " + ", ".join(known) if known else ""
    elif missing := _MISSING.search(what):
        what = f"{_pretty(at, missing['field'])} is missing"
    else:
        what = f"{_pretty(at)}: {what[0].lower()}{what[1:]}"
    return ConfigError(f"{path}:{line}: {what}", evidence=hint, next_command=_SCHEMA_HINT)


def _pretty(at: str, field: str = "") -> str:
    key = at.removeprefix("$").lstrip(".")
    return ".".join(part for part in (key, field) if part) or "the file"


def _locate(root: yaml.Node, at: str) -> tuple[yaml.Node, int]:
    """The node that a msgspec path names and its line, as deep as the path can be followed."""
    node, line = root, root.start_mark.line + 1
    for name, index in _STEP.findall(at.removeprefix("$")):
        child = _child(node, name, index)
        if child is None:
            break
        node, line = child
    return node, line


def _child(node: yaml.Node, name: str, index: str) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if str(key.value) == name:
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and index.isdigit() and int(index) < len(node.value):
        value = node.value[int(index)]
        return value, value.start_mark.line + 1
    return None


def _key_line(node: yaml.Node, field: str) -> int | None:
    found = _child(node, field, "")
    return found[1] if found else None


def _known_keys(at: str, node: yaml.Node) -> list[str]:
    """The keys that the types allow at a path: the schema is walked as the path goes."""
    schema = config_schema()
    here: dict[str, Any] = schema
    for name, index in _STEP.findall(at.removeprefix("$")):
        here = _resolve(schema, here)
        here = here.get("properties", {}).get(name, {}) if name else here.get("items", {}) if index else {}
    options = [_resolve(schema, option) for option in here.get("anyOf", [here])]
    driver = _child(node, "driver", "")
    if driver is not None and isinstance(driver[0], yaml.ScalarNode):
        wanted = driver[0].value
        options = [
            o for o in options if o.get("properties", {}).get("driver", {}).get("enum", [wanted])[0] == wanted
        ]
    return sorted({key for option in options for key in option.get("properties", {})})


def _resolve(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        part = schema["$defs"][part["$ref"].rsplit("/", 1)[1]]
    return part


def _check_secrets(config: Config, root: yaml.Node, path: Path) -> None:
    """Each secret names exactly one place."""
    for at, secret in _secrets(config, "$"):
        if bool(secret.env) == bool(secret.file):
            _, line = _locate(root, at)
            raise ConfigError(
                f"{path}:{line}: {_pretty(at)} must name exactly one of env and file",
                evidence="secrets never stand in the configuration itself",
            )


def _secrets(value: object, at: str) -> Iterator[tuple[str, Secret]]:
    """Every secret of the file, with its path."""
    if isinstance(value, Secret):
        yield at, value
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from _secrets(getattr(value, field), f"{at}.{field}")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _secrets(inner, f"{at}.{key}")


def _secrets_from(value: Part, base: Path) -> Part:
    """The same, with the file of every secret in it taken from `base` when it is relative."""
    if isinstance(value, Secret):
        return msgspec.structs.replace(value, file=str(base / value.file) if value.file else "")
    if isinstance(value, msgspec.Struct):
        parts = {field: _secrets_from(getattr(value, field), base) for field in value.__struct_fields__}
        return msgspec.structs.replace(value, **parts)
    if isinstance(value, dict):
        return type(value)((key, _secrets_from(inner, base)) for key, inner in value.items())
    return value


def _check_page(config: Config, root: yaml.Node, path: Path) -> None:
    """Who wants to be paged must say how."""
    if config.soak.on_breach == "page" and config.soak.page is None:
        _, line = _locate(root, "$.soak.on_breach")
        raise ConfigError(
            f"{path}:{line}: soak.on_breach is page, and soak.page names no command",
            next_command="soak.page: [your-pager, ...]; it gets the evidence as JSON on its standard input",
        )


def _check_two(config: Config, root: yaml.Node, path: Path) -> None:
    """One address for both sides: nothing that is read there could tell which side it is."""
    blue, green = (site.url.rstrip("/").lower() for site in (config.blue, config.green))
    if blue == green:
        _, line = _locate(root, "$.green.url")
        raise ConfigError(
            f"{path}:{line}: blue and green are the same core",
            evidence=f"blue.url and green.url are {config.blue.url}",
            next_command="correct blue.url or green.url",
        )


def _with_kafkas(config: Config, root: yaml.Node, path: Path) -> Config:
    """In shared mode green's Kafka is blue's; what only a copy has is refused there by name."""
    shared, replace = config.replication.mode == "shared", msgspec.structs.replace
    for colour in ("blue", "green"):
        if not config.site(colour).kafka.bootstrap and (colour == "blue" or not shared):
            _, line = _locate(root, f"$.{colour}")
            raise ConfigError(
                f"{path}:{line}: {colour}.kafka is missing",
                evidence="only green's may be left out, and only with replication.mode: shared",
                next_command=_SCHEMA_HINT,
            )
    if not shared:
        return config
    blue, green = config.blue.kafka, config.green.kafka
    if green.bootstrap and _brokers(green.bootstrap) != _brokers(blue.bootstrap):
        _, line = _locate(root, "$.green.kafka.bootstrap")
        raise ConfigError(
            f"{path}:{line}: green.kafka is another Kafka than blue's, and replication.mode is shared",
            evidence=f"blue.kafka.bootstrap is {blue.bootstrap}, green.kafka.bootstrap {green.bootstrap}",
            next_command="leave green.kafka out, or say replication.mode: mirror",
        )
    for name in ("rate", "throttle", "fold"):
        if getattr(config.replication, name) != getattr(Replication(), name):
            _, line = _locate(root, f"$.replication.{name}")
            raise ConfigError(
                f"{path}:{line}: replication.{name} means nothing with replication.mode: shared",
                evidence="nothing is copied: green's clone reads blue's log by itself, at its own pace",
                next_command=f"take replication.{name} out, or say replication.mode: mirror",
            )
    return replace(config, green=replace(config.green, kafka=green if green.bootstrap else blue))


def _brokers(bootstrap: str) -> set[str]:
    return {broker.strip().lower() for broker in bootstrap.split(",")}


def _with_base(config: Config, base: Path) -> Config:
    """Relative paths of the file are relative to the file, whatever the folder the command runs in."""
    config, replace = _secrets_from(config, base), msgspec.structs.replace

    def absolute(value: str) -> str:
        return str(base / value) if value else value

    def argv(value: list[str] | None) -> list[str] | None:
        """A program named with a slash is a path; a bare name is found on PATH."""
        return [absolute(value[0]), *value[1:]] if value and "/" in value[0] else value

    def ours(value: Way) -> Way:
        if not isinstance(value, RightsCommand):
            return value
        return replace(value, revoke=argv(value.revoke), restore=argv(value.restore))

    def site(value: Site) -> Site:
        core = value.core
        return replace(
            value,
            tls=replace(value.tls, ca_file=absolute(value.tls.ca_file)),
            kafka=replace(value.kafka, create_topics=argv(value.kafka.create_topics)),
            rights=Rights(bucket=ours(value.rights.bucket), kafka=ours(value.rights.kafka)),
            core=replace(core, stop=argv(core.stop), start=argv(core.start), kick=argv(core.kick)),
        )

    def proxy(value: AnyNode) -> AnyNode:
        if value.via:  # its paths are the other machine's
            return replace(value, via=argv(value.via) or [])
        if isinstance(value, EnvoyNode):
            return replace(value, gate=absolute(value.gate))
        if isinstance(value, NginxNode):
            return replace(value, state_file=absolute(value.state_file), pid_file=absolute(value.pid_file))
        return replace(value, socket=absolute(value.socket), map_file=absolute(value.map_file))

    def provision(value: LocalProvision | CommandProvision) -> LocalProvision | CommandProvision:
        if isinstance(value, LocalProvision):
            return replace(value, directory=absolute(value.directory))
        return replace(value, command=argv(value.command) or value.command)

    rebuild = config.way_back.provision
    return replace(
        config,
        run_dir=absolute(config.run_dir),
        blue=site(config.blue),
        green=site(config.green),
        proxies=[proxy(node) for node in config.proxies],
        soak=replace(config.soak, page=argv(config.soak.page)),
        provision=provision(config.provision),
        way_back=replace(config.way_back, provision=provision(rebuild) if rebuild else None),
    )
