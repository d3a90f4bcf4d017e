"""One server's whole state: clock, rows, cluster, identities. Everything happens on one event loop, no locks."""

import itertools

from . import autorun, clock, cluster, database, experiments, faults, identity

DEFAULT_EXPERIMENT = "Default"
DEFAULT_DESCRIPTION = "All runs created without specifying an experiment will be grouped here."
MAX_LOG = 200000


class Core:
    """`tasks`: the server has view=FULL. `tag`: what healthz says."""

    def __init__(self, kind="mariadb", multi_user=False, tasks=False, namespace="kubeflow", tag="2.17.0"):
        self.clock = clock.Clock()
        self.db = database.Database(kind)
        self.cluster = cluster.Cluster(self.clock)
        self.identities = identity.Identities(multi_user)
        self.faults = faults.Faults(self.clock)
        self.autorun = autorun.AutoRun(self)
        self.has_tasks = tasks
        self.namespace = namespace
        self.tag = tag
        self.orphan_grace = 120  # seconds; WORKFLOW_GC_GRACE_PERIOD_SECONDS
        self.orphans_deleted = 0
        self.log = []  # of what was asked, see wire.py
        self.log_bodies = True
        self.numbers = itertools.count(1)
        self.counters = {}
        if not multi_user:
            experiments.insert(self, DEFAULT_EXPERIMENT, DEFAULT_DESCRIPTION, "")

    def count(self, name):
        self.counters[name] = self.counters.get(name, 0) + 1

    def default_experiment(self):
        found = next((row for row in self.db.experiments.values() if row.display_name == DEFAULT_EXPERIMENT), None)
        return found or experiments.insert(self, DEFAULT_EXPERIMENT, DEFAULT_DESCRIPTION, "")

    def service_account(self):
        return "pipeline-runner"

    def versions_of(self, pipeline_id):
        return [row for row in self.db.versions.values() if row.pipeline_id == pipeline_id]

    def latest_version(self, pipeline_id):
        """By second of creation, then by id."""
        return max(self.versions_of(pipeline_id), key=lambda row: (row.created, row.version_id), default=None)

    def run_of_recurring(self, recurring_run_id, display_name):
        rows = self.db.runs.values()
        return next(
            (row for row in rows if row.recurring_run_id == recurring_run_id and row.display_name == display_name), None
        )

    def workflow_of(self, row):
        """The Workflow that the row owns, also one that is gone."""
        made = self.cluster.by_run.get(row.run_id, [])
        return next((workflow for workflow in made if workflow.name == row.workflow), None)
