"""Pipeline files and specs: what may be uploaded, what is shown of it, and which parameters it takes."""

import gzip
import io
import json
import re
import tarfile
import zipfile
import zlib

import yaml

from . import jsonio

MAX_FILE = 32 << 20
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(LOADER):
    """YAML as the server reads it: a date is text."""

    yaml_implicit_resolvers = {
        letter: [(tag, words) for tag, words in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for letter, resolvers in LOADER.yaml_implicit_resolvers.items()
    }


class BadSpec(Exception):
    """No pipeline; the words say why."""


class Template:
    """A pipeline that can be run: `shown` is what the API gives back as pipeline_spec."""

    def __init__(self, shown, spec, version2):
        self.shown = shown
        self.spec = spec
        self.version2 = version2  # False: an Argo Workflow of KFP 1
        if version2:
            self.name = spec["pipelineInfo"]["name"]
            self.inputs = ((spec["root"] or {}).get("inputDefinitions") or {}).get("parameters") or {}
        else:
            metadata = spec.get("metadata") or {}
            self.name = (metadata.get("generateName") or metadata.get("name") or "workflow").rstrip("-")
            self.inputs = {}

    def text(self):
        return json.dumps(self.shown, ensure_ascii=False)


def unpack(name, data):
    """The YAML in an uploaded file: plain, zip or tar.gz by its first bytes. BadSpec if there is none."""
    if len(data) > MAX_FILE:
        raise BadSpec("File size too large. Maximum supported size: 32MB")
    try:
        if data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                found = {entry: archive.read(entry) for entry in archive.namelist() if not entry.endswith("/")}
            return choose(found)
        if data[:2] == b"\x1f\x8b":
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
                files = [member for member in archive.getmembers() if member.isfile()]
                return choose({member.name: archive.extractfile(member).read() for member in files})
    except (zipfile.BadZipFile, tarfile.TarError, OSError, zlib.error, EOFError) as fault:
        raise BadSpec(f"Error extracting pipeline from the archive file: {fault}") from fault
    if not re.search(r"\.(ya?ml|json|zip|tar\.gz)$", name):
        raise BadSpec(f"Unexpected pipeline file format: {name}. Support .zip, .tar.gz, .json or YAML")
    return data


def choose(found):
    """An archive holds pipeline.yaml, or one file."""
    if "pipeline.yaml" in found:
        return found["pipeline.yaml"]
    if len(found) != 1:
        raise BadSpec("Invalid archive. No pipeline.yaml file and not exactly one file in it")
    return next(iter(found.values()))


def json_kinds(value):
    """As JSON would have it: names are text, numbers doubles."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): json_kinds(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_kinds(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if value is None or isinstance(value, (bool, float, str)):
        return value
    raise BadSpec(f"a value of the kind {type(value).__name__} in the file")


def read_file(data):
    """The template in a YAML file. BadSpec: as an upload answers it."""
    try:
        documents = [json_kinds(part) for part in yaml.load_all(data, Loader) if part is not None]
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as fault:
        raise BadSpec(f"failed to parse pipeline spec YAML: {fault}") from fault
    if any(not isinstance(part, dict) for part in documents):
        raise BadSpec("unknown template format: pipeline spec is invalid")
    specs = [part for part in documents if "pipelineInfo" in part]
    if not specs:
        if documents and str(documents[0].get("apiVersion", "")).startswith("argoproj.io/"):
            return Template(documents[0], documents[0], version2=False)
        raise BadSpec("unknown template format: pipeline spec is invalid")
    platforms = [part for part in documents if "kubernetes" in (part.get("platforms") or {})]
    if len(specs) > 1 or len(platforms) > 1:
        raise BadSpec("multiple pipeline specs provided" if len(specs) > 1 else "multiple platform specs provided")
    return template(specs[0], platforms[0] if platforms else None)


KNOWN = {"pipelineInfo", "sdkVersion", "schemaVersion", "deploymentSpec", "components", "root", "defaultPipelineRoot"}


def template(spec, platform):
    unknown = sorted(set(spec) - KNOWN)
    if unknown:
        raise BadSpec(f'invalid v2 pipeline spec: unknown field "{unknown[0]}"')
    if spec.get("schemaVersion") not in ("2.1.0", "2.0.0"):
        raise BadSpec(f"unsupported schema version {spec.get('schemaVersion')!r}")
    info = spec["pipelineInfo"]
    if not isinstance(info, dict) or not info.get("name"):
        raise BadSpec("invalid v2 pipeline spec: name is empty")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,127}", str(info["name"])):
        raise BadSpec(f"invalid v2 pipeline spec: name {info['name']!r} must match [a-z0-9][a-z0-9-]{{0,127}}")
    if not isinstance(spec.get("root"), dict):
        raise BadSpec("invalid v2 pipeline spec: root component is empty")
    shown = {"pipeline_spec": spec, "platform_spec": platform} if platform else spec
    return Template(jsonio.shown(shown), spec, version2=True)


def read_inline(value):
    """The template in a request's pipeline_spec: bare, or with its platform beside it."""
    if "pipeline_spec" in value:
        spec, platform = value["pipeline_spec"], value.get("platform_spec")
    else:
        spec, platform = value, None
    if not isinstance(spec, dict) or "pipelineInfo" not in spec:
        raise BadSpec("unknown template format: pipeline spec is invalid")
    return template(spec, platform if isinstance(platform, dict) and platform else None)
