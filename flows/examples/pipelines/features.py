"""From a day's dataset to a table of features: totals and counts are worked out side by side, then put together."""

from typing import NamedTuple

from kfp import compiler, dsl


@dsl.component(base_image="python:3.11-slim")
def total_by_region(dataset: dsl.Input[dsl.Dataset]) -> dict:
    import csv

    totals = {}
    with open(dataset.path, newline="", encoding="utf-8") as source:
        for line, row in enumerate(csv.DictReader(source), start=2):
            try:
                totals[row["region"]] = totals.get(row["region"], 0.0) + float(row["amount"])
            except ValueError:
                raise ValueError(f"line {line}: the amount {row['amount']!r} is no number") from None
    return totals


@dsl.component(base_image="python:3.11-slim")
def count_by_region(dataset: dsl.Input[dsl.Dataset]) -> dict:
    import collections
    import csv

    with open(dataset.path, newline="", encoding="utf-8") as source:
        return dict(collections.Counter(row["region"] for row in csv.DictReader(source)))


@dsl.component(base_image="python:3.11-slim")
def combine(
    totals: dict, counts: dict, date: str, table: dsl.Output[dsl.Dataset]
) -> NamedTuple("Table", [("regions", int), ("uri", str)]):
    import json
    import os
    from collections import namedtuple

    rows = [{"region": name, "total": totals[name], "count": counts[name]} for name in sorted(totals)]
    os.makedirs(os.path.dirname(table.path), exist_ok=True)
    with open(table.path, "w", encoding="utf-8") as target:
        json.dump({"date": date, "rows": rows}, target)
    print(f"{len(rows)} regions")
    return namedtuple("Table", ["regions", "uri"])(len(rows), table.uri)


@dsl.pipeline(name="features", description="Works out the features of one day.")
def features(dataset_uri: str, date: str) -> NamedTuple("Features", [("regions", int), ("table_uri", str)]):
    from collections import namedtuple

    dataset = dsl.importer(artifact_uri=dataset_uri, artifact_class=dsl.Dataset, reimport=False)
    totals = total_by_region(dataset=dataset.output)
    counts = count_by_region(dataset=dataset.output)
    table = combine(totals=totals.output, counts=counts.output, date=date)
    return namedtuple("Features", ["regions", "table_uri"])(table.outputs["regions"], table.outputs["uri"])


if __name__ == "__main__":
    compiler.Compiler().compile(features, __file__.replace(".py", ".yaml"))
