"""A file of sales landed: check its form, keep its rows as a dataset, hand on where it is and which day it is for."""

from typing import NamedTuple

from kfp import compiler, dsl


@dsl.component(base_image="python:3.11-slim")
def read_file(
    path: str, dataset: dsl.Output[dsl.Dataset]
) -> NamedTuple("Landed", [("rows", int), ("date", str), ("uri", str)]):
    import csv
    import os
    import re
    from collections import namedtuple

    found = re.fullmatch(r"sales-(\d{4}-\d{2}-\d{2})\.csv", os.path.basename(path))
    if not found:
        raise ValueError(f"{path}: expected a name like sales-2026-11-20.csv")
    with open(path, newline="", encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    for line, row in enumerate(rows, start=2):
        if set(row) != {"region", "amount"} or None in row.values():
            raise ValueError(f"{path}:{line}: expected the columns region and amount")

    os.makedirs(os.path.dirname(dataset.path), exist_ok=True)
    with open(dataset.path, "w", newline="", encoding="utf-8") as target:
        writer = csv.DictWriter(target, fieldnames=["region", "amount"])
        writer.writeheader()
        writer.writerows(rows)
    dataset.metadata["rows"] = len(rows)
    dataset.metadata["date"] = found[1]
    print(f"{len(rows)} rows for {found[1]}")
    return namedtuple("Landed", ["rows", "date", "uri"])(len(rows), found[1], dataset.uri)


@dsl.pipeline(name="ingest", description="Checks a file of sales and keeps it as a dataset.")
def ingest(path: str) -> NamedTuple("Ingested", [("rows", int), ("date", str), ("dataset_uri", str)]):
    from collections import namedtuple

    landed = read_file(path=path)
    return namedtuple("Ingested", ["rows", "date", "dataset_uri"])(
        landed.outputs["rows"], landed.outputs["date"], landed.outputs["uri"]
    )


if __name__ == "__main__":
    compiler.Compiler().compile(ingest, __file__.replace(".py", ".yaml"))
