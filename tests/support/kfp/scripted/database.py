"""Rows, and what the two databases do differently: MariaDB compares without case, has short columns and three-byte text."""

import functools
import unicodedata
from dataclasses import dataclass, field

from .errors import internal


@dataclass(slots=True)
class Experiment:
    experiment_id: str
    display_name: str
    description: str
    namespace: str
    created: int
    storage_state: str = "AVAILABLE"
    last_run: int = 0


@dataclass(slots=True)
class Pipeline:
    pipeline_id: str
    name: str
    display_name: str
    description: str
    namespace: str
    created: int
    tags: dict = field(default_factory=dict)


@dataclass(slots=True)
class Version:
    version_id: str
    pipeline_id: str
    name: str
    display_name: str
    description: str
    created: int
    template: object
    code_source_url: str = ""
    tags: dict = field(default_factory=dict)


@dataclass(slots=True)
class Run:
    run_id: str
    experiment_id: str
    namespace: str
    display_name: str
    description: str
    workflow: str
    created: int
    scheduled: int
    storage_state: str = "AVAILABLE"
    finished: int = 0
    state: str = "PENDING"
    history: list = field(default_factory=list)  # of (seconds, state)
    pipeline_id: str = ""
    version_id: str = ""
    inline: object = None  # the spec as shown, of a run without reference
    parameters: dict = None
    pipeline_root: str = ""
    service_account: str = ""
    recurring_run_id: str = ""
    plugins_input: dict = None
    phase: str = None  # of the stored manifest; None: never reported
    nodes: list = field(default_factory=list)
    tasks: list = None  # of view=FULL
    folded: dict = None  # texts as compared, made when first wanted


@dataclass(slots=True)
class Recurring:
    recurring_run_id: str
    experiment_id: str
    namespace: str
    display_name: str
    description: str
    created: int
    updated: int
    enabled: bool
    trigger: dict
    max_concurrency: int
    no_catchup: bool
    pipeline_id: str = ""
    version_id: str = ""
    inline: object = None
    parameters: dict = None
    pipeline_root: str = ""
    service_account: str = ""
    plugins_input: dict = None


@functools.lru_cache(maxsize=65536)
def fold(text):
    """As utf8_general_ci compares: without case, accents and trailing spaces."""
    if text.isascii():
        return text.upper().rstrip(" ")
    parts = unicodedata.normalize("NFD", text.replace("ß", "s"))
    return "".join(letter for letter in parts if not unicodedata.combining(letter)).upper().rstrip(" ")


class Table(dict):
    """Rows by id; on MariaDB an id is found whatever its case."""

    def __init__(self, ignore_case):
        super().__init__()
        self.ignore_case = ignore_case

    def key(self, key):
        return fold(key) if self.ignore_case else key

    def find(self, key):
        return self.get(self.key(key))

    def put(self, key, row):
        self[self.key(key)] = row

    def drop(self, key):
        return self.pop(self.key(key), None)


class Database:
    def __init__(self, kind):
        assert kind in ("mariadb", "sqlite"), kind
        self.kind = kind
        self.mariadb = kind == "mariadb"
        self.experiments = Table(self.mariadb)
        self.pipelines = Table(self.mariadb)
        self.versions = Table(self.mariadb)
        self.runs = Table(self.mariadb)
        self.recurring = Table(self.mariadb)

    def same(self, one, other):
        return fold(one) == fold(other) if self.mariadb else one == other

    def accept(self, what, columns, limit=255):
        """ApiError 500 for what MariaDB cannot store. `columns`: name -> text, or (text, longest length or None)."""
        if not self.mariadb:
            return
        for name, value in columns.items():
            text, longest = value if isinstance(value, tuple) else (value, limit)
            if not text:
                continue
            wide = next((letter for letter in text if ord(letter) > 0xFFFF), None)
            if wide:
                raw = "".join(f"\\x{byte:02X}" for byte in wide.encode())
                raise internal(
                    f"{what}: Error 1366 (22007): Incorrect string value: '{raw}' for column '{name}' at row 1"
                )
            if longest is not None and len(text) > longest:
                raise internal(f"{what}: Error 1406 (22001): Data too long for column '{name}' at row 1")

    def insert_run(self, row, texts):
        """The last step of CreateRun: the Workflow is there already."""
        what = f"Failed to store run {row.display_name} to table"
        self.accept(what, texts)
        if self.runs.find(row.run_id):
            text = (
                f"Error 1062 (23000): Duplicate entry '{row.run_id}' for key 'PRIMARY'"
                if self.mariadb
                else "UNIQUE constraint failed: run_details.UUID"
            )
            raise internal(f"{what}: {text}")
        self.runs.put(row.run_id, row)
