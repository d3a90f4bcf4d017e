"""Fits a (very small) model on a day's features and measures it."""

from typing import NamedTuple

from kfp import compiler, dsl


@dsl.component(base_image="python:3.11-slim")
def fit(table: dsl.Input[dsl.Dataset], rows: int, model: dsl.Output[dsl.Model]) -> str:
    import json
    import os

    with open(table.path, encoding="utf-8") as source:
        features = json.load(source)
    means = {row["region"]: row["total"] / row["count"] for row in features["rows"]}
    os.makedirs(os.path.dirname(model.path), exist_ok=True)
    with open(model.path, "w", encoding="utf-8") as target:
        json.dump({"date": features["date"], "mean_by_region": means}, target)
    model.metadata["framework"] = "arithmetic"
    model.metadata["rows"] = rows
    return model.uri


@dsl.component(base_image="python:3.11-slim")
def measure(
    table: dsl.Input[dsl.Dataset], model: dsl.Input[dsl.Model], metrics: dsl.Output[dsl.Metrics]
) -> float:
    import json

    with open(table.path, encoding="utf-8") as source:
        rows = json.load(source)["rows"]
    with open(model.path, encoding="utf-8") as source:
        means = json.load(source)["mean_by_region"]
    error = sum(abs(row["total"] - means[row["region"]] * row["count"]) for row in rows)
    metrics.log_metric("absolute_error", error)
    print(f"absolute error {error}")
    return error


@dsl.pipeline(name="train", description="Fits and measures the model of one day.")
def train(
    table_uri: str, date: str, rows: int, grade: str = "good"
) -> NamedTuple("Trained", [("model_uri", str), ("absolute_error", float)]):
    from collections import namedtuple

    table = dsl.importer(artifact_uri=table_uri, artifact_class=dsl.Dataset, reimport=False)
    model = fit(table=table.output, rows=rows)
    error = measure(table=table.output, model=model.outputs["model"])
    return namedtuple("Trained", ["model_uri", "absolute_error"])(model.outputs["Output"], error.outputs["Output"])


if __name__ == "__main__":
    compiler.Compiler().compile(train, __file__.replace(".py", ".yaml"))
