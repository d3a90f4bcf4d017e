"""weir for authors of Kubeflow pipelines: `import weir_kfp as weir`.

Decorators on a `@dsl.pipeline` say what launches it; compiling it writes `train.weir.yaml` beside `train.yaml`, which
`weir apply` takes. `publish()` hands in events from anywhere; `report()` is a task that tells weir how a run ended and
what it made. kfp is imported when a pipeline is made, not by this package.
"""

from .compiling import compile, reports
from .decorators import flow, on_finish, schedule, trigger
from .errors import DefinitionError, PublishError, WeirError
from .publishing import Published, publish
from .reporting import report
from .specs import Leaf, Value, event, finish, slot, value

__all__ = [
    "DefinitionError",
    "Leaf",
    "PublishError",
    "Published",
    "Value",
    "WeirError",
    "compile",
    "event",
    "finish",
    "flow",
    "on_finish",
    "publish",
    "report",
    "reports",
    "schedule",
    "slot",
    "trigger",
    "value",
]
