"""Runs when another flow failed: writes down what a person should look at."""

from kfp import compiler, dsl


@dsl.component(base_image="python:3.11-slim")
def raise_alert(flow: str, run: str, date: str, page: dsl.Output[dsl.Markdown]) -> str:
    import os

    text = f"{flow} failed for {date}: look at run {run}"
    os.makedirs(os.path.dirname(page.path), exist_ok=True)
    with open(page.path, "w", encoding="utf-8") as target:
        target.write(f"# Alert\n\n{text}\n")
    print(text)
    return text


@dsl.pipeline(name="alert", description="Says that a run of another flow failed.")
def alert(flow: str, run: str, date: str = "an unknown day") -> str:
    return raise_alert(flow=flow, run=run, date=date).outputs["Output"]


if __name__ == "__main__":
    compiler.Compiler().compile(alert, __file__.replace(".py", ".yaml"))
