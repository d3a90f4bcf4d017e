"""The features of one day, on a Kubeflow server: a last task reports where they are, as the server tells nobody."""

import weir_kfp as weir
from kfp import compiler, dsl


@dsl.component(base_image="python:3.11-slim")
def build(dataset: dsl.Input[dsl.Dataset], date: str, table: dsl.Output[dsl.Dataset]) -> int:
    import csv
    import json
    import os

    regions = {}
    with open(dataset.path, newline="", encoding="utf-8") as source:
        for row in csv.DictReader(source):
            entry = regions.setdefault(row["region"], {"region": row["region"], "total": 0.0, "count": 0})
            entry["total"] += float(row["amount"])
            entry["count"] += 1
    os.makedirs(os.path.dirname(table.path), exist_ok=True)
    with open(table.path, "w", encoding="utf-8") as target:
        json.dump({"date": date, "rows": [regions[name] for name in sorted(regions)]}, target)
    print(f"{len(regions)} regions")
    return len(regions)


@dsl.pipeline(name="features", description="Works out the features of one day.")
def features(dataset_uri: str, date: str, weir_server: str = "http://weir.weir:9347"):
    dataset = dsl.importer(artifact_uri=dataset_uri, artifact_class=dsl.Dataset, reimport=False)
    built = build(dataset=dataset.output, date=date)
    # What triggers read as run.outputs.table_uri and run.outputs.regions.
    weir.report(
        outputs={"table_uri": built.outputs["table"], "regions": built.outputs["Output"]},
        artifacts={"table": built.outputs["table"]},
        flow="demo/features",
        server=weir_server,
        token_secret="weir",
    )


if __name__ == "__main__":
    compiler.Compiler().compile(features, __file__.replace(".py", ".yaml"))
