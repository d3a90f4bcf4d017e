"""A pipeline that uses what the local backend must know; compiled by kfp 2.17.0 into everything.yaml."""

import functools
from typing import Dict, List, NamedTuple

from kfp import compiler, dsl
from kfp.dsl import Dataset, Input, Metrics, Output

component = functools.partial(dsl.component, base_image='python:3.12')


@component
def load(rows: int, share: float, label: str, loud: bool, names: List[str], options: Dict[str, int],
         data: Output[Dataset]) -> NamedTuple('out', [('count', int), ('side', str)]):
    with open(data.path, 'w') as f:
        f.write('\n'.join(names))
    data.metadata['rows'] = rows
    assert isinstance(rows, int) and isinstance(share, float) and isinstance(loud, bool)
    return (rows + options['extra'], label if loud else label.lower())


@component
def shout(text: str) -> str:
    return text.upper()


@component
def whisper(text: str) -> str:
    return text.lower()


@component
def square(n: int) -> int:
    return n * n


@component
def add(numbers: List[int]) -> int:
    return sum(numbers)


@component
def flaky(marker: str) -> str:
    import os
    if not os.path.exists(marker):
        open(marker, 'w').close()
        raise RuntimeError('not yet')
    return 'there in the end'


@component
def describe(data: Input[Dataset], total: int, said: str, note: str, metrics: Output[Metrics]) -> str:
    metrics.log_metric('total', total)
    with open(data.path) as f:
        lines = f.read().split('\n')
    return f'{said} {total} {len(lines)} {data.metadata["rows"]} {note}'


@component
def fail_if(yes: bool):
    if yes:
        raise ValueError('asked to fail')


@component
def tell(status: dsl.PipelineTaskFinalStatus, file: str):
    with open(file, 'w') as f:
        f.write(f'{status.state} {status.pipeline_task_name} {status.error_message}')


@dsl.container_component
def count(text: str, lines: dsl.OutputPath(int)):
    return dsl.ContainerSpec(image='alpine', command=['sh', '-c', 'printf "%s" "$0" | wc -c > "$1"'], args=[text, lines])


@dsl.pipeline
def choose(side: str, text: str) -> str:
    with dsl.If(side == 'LEFT'):
        left = shout(text=text)
    with dsl.Else():
        right = whisper(text=text)
    return dsl.OneOf(left.output, right.output)


@dsl.pipeline(name='everything')
def everything(folder: str,
               rows: int = 3,
               share: float = 1.0,
               label: str = 'LEFT',
               loud: bool = True,
               names: List[str] = ['a', 'b'],
               options: Dict[str, int] = {'extra': 1},
               numbers: List[int] = [1, 2, 3],
               text: str = 'Some Text',
               fail: bool = False) -> NamedTuple('outputs', [('report', str), ('size', int)]):
    end = tell(file=f'{folder}/status')
    with dsl.ExitHandler(end):
        fail_if(yes=fail)
    loaded = load(rows=rows, share=share, label=label, loud=loud, names=names, options=options)
    said = choose(side=loaded.outputs['side'], text=text)
    with dsl.ParallelFor(numbers, parallelism=2) as n:
        squared = square(n=n)
    total = add(numbers=dsl.Collected(squared.output))
    came = flaky(marker=f'{folder}/marker')
    came.set_retry(num_retries=2, backoff_duration='0s')
    report = describe(data=loaded.outputs['data'], total=total.output, said=said.output, note=came.output)
    size = count(text=report.outputs['Output'])
    outputs = NamedTuple('outputs', [('report', str), ('size', int)])
    return outputs(report=report.outputs['Output'], size=size.outputs['lines'])


if __name__ == '__main__':
    compiler.Compiler().compile(everything, __file__.replace('.py', '.yaml'))
