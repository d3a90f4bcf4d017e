"""Runs on a schedule: notes which slot it was started for."""

from kfp import compiler, dsl


@dsl.component(base_image="python:3.11-slim")
def write_report(slot: str, page: dsl.Output[dsl.Markdown]) -> str:
    import os

    os.makedirs(os.path.dirname(page.path), exist_ok=True)
    with open(page.path, "w", encoding="utf-8") as target:
        target.write(f"# Report\n\nfor the slot {slot}\n")
    return slot


@dsl.pipeline(name="report", description="A report for each slot of its schedule.")
def report(slot: str) -> str:
    return write_report(slot=slot).outputs["Output"]


if __name__ == "__main__":
    compiler.Compiler().compile(report, __file__.replace(".py", ".yaml"))
