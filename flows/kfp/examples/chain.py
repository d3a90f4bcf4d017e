"""Two pipelines: `train` fits a model when a table is ready, `deploy` takes the model of each good run.

    python chain.py          writes train.yaml, train.weir.yaml, deploy.yaml and deploy.weir.yaml beside this file
"""

import pathlib

import weir_kfp as weir
from kfp import compiler, dsl

WEIR = "http://127.0.0.1:9347"


@dsl.component(base_image="python:3.11")
def fit(table: str, rounds: int, model: dsl.Output[dsl.Model]) -> float:
    with open(model.path, "w") as file:
        file.write(f"{table} {rounds}\n")
    model.metadata["rounds"] = rounds
    return 0.9


@dsl.component(base_image="python:3.11")
def serve(model_uri: str, auc: float) -> str:
    print(f"serving {model_uri} (auc {auc})")
    return model_uri


@dsl.component(base_image="python:3.11")
def tell(text: str):
    print(text)


@weir.flow(team="ads")
@weir.trigger(
    "table.ready",
    where='event.data.table == "orders"',
    parameters={"table": "event.data.table + \"/\" + event.data.date", "rounds": 10},
    overlap="queue",
)
@weir.schedule("30 2 * * MON", timezone="Europe/Zurich", parameters={"table": weir.value("orders/week")})
@dsl.pipeline
def train(table: str, rounds: int = 100):
    with dsl.ExitHandler(exit_task=weir.report(server=WEIR)):
        fitted = fit(table=table, rounds=rounds)
        weir.report(
            outputs={"model_uri": fitted.outputs["model"], "auc": fitted.outputs["Output"]},
            artifacts={"model": fitted.outputs["model"]},
            server=WEIR,
        )


@weir.flow(team="ads")
@weir.on_finish(
    train,
    where="run.outputs.auc > 0.7",
    parameters={"model_uri": "run.outputs.model_uri", "auc": "run.outputs.auc"},
)
@dsl.pipeline
def deploy(model_uri: str, auc: float):
    serve(model_uri=model_uri, auc=auc)


@weir.flow(team="ads")
@weir.on_finish(train, outcome=["failed", "lost"], parameters={"text": '"training failed: " + run.id'})
@dsl.pipeline
def alert(text: str):
    tell(text=text)


if __name__ == "__main__":
    folder = pathlib.Path(__file__).parent
    for pipeline in (train, deploy, alert):
        compiler.Compiler().compile(pipeline, str(folder / f"{pipeline.name}.yaml"))
