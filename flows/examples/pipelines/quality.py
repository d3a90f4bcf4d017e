"""What a day's dataset looks like; says so aloud when some of it is unusable, and fails on none of it."""

from typing import NamedTuple

from kfp import compiler, dsl


@dsl.component(base_image="python:3.11-slim")
def inspect(
    dataset: dsl.Input[dsl.Dataset], metrics: dsl.Output[dsl.Metrics]
) -> NamedTuple("Seen", [("rows", int), ("unusable", int)]):
    import csv
    from collections import namedtuple

    def usable(text: str) -> bool:
        try:
            float(text)
            return True
        except ValueError:
            return False

    with open(dataset.path, newline="", encoding="utf-8") as source:
        amounts = [row["amount"] for row in csv.DictReader(source)]
    unusable = [text for text in amounts if not usable(text)]
    metrics.log_metric("rows", len(amounts))
    metrics.log_metric("unusable", len(unusable))
    return namedtuple("Seen", ["rows", "unusable"])(len(amounts), len(unusable))


@dsl.component(base_image="python:3.11-slim")
def good() -> str:
    return "good"


@dsl.component(base_image="python:3.11-slim")
def poor(rows: int, unusable: int) -> str:
    print(f"{unusable} of {rows} rows are unusable")
    return "poor"


@dsl.pipeline(name="quality", description="Grades the data of one day.")
def quality(dataset_uri: str, date: str) -> NamedTuple("Quality", [("rows", int), ("grade", str)]):
    from collections import namedtuple

    dataset = dsl.importer(artifact_uri=dataset_uri, artifact_class=dsl.Dataset, reimport=False)
    seen = inspect(dataset=dataset.output)
    with dsl.If(seen.outputs["unusable"] == 0):
        is_good = good()
    with dsl.Else():
        is_poor = poor(rows=seen.outputs["rows"], unusable=seen.outputs["unusable"])
    grade = dsl.OneOf(is_good.output, is_poor.output)
    return namedtuple("Quality", ["rows", "grade"])(seen.outputs["rows"], grade)


if __name__ == "__main__":
    compiler.Compiler().compile(quality, __file__.replace(".py", ".yaml"))
