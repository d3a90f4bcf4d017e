"""Decorators and options where they do nothing or what nobody meant: each is refused with its line and the cure."""

import contextlib
import gc
import io
import pathlib
import subprocess
import sys
import tempfile
import unittest

from weir_kfp.__main__ import main

HEAD = (
    "import weir_kfp as weir\nfrom kfp import compiler, dsl\n"
    "@dsl.component(base_image='python:3.11')\ndef say(t: str):\n    print(t)\n"
)
GOOD = "@weir.trigger('x', parameters={'t': 'event.id'})\n@dsl.pipeline\ndef good(t: str):\n    say(t=t)\n"


class Files(unittest.TestCase):
    """What becomes of an author's file, compiled by this package's command and by kfp's own compiler."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="weir-kfp-")))
        self.source = self.folder / "mine.py"

    def run_python(self, *words):
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=120)
        return done.returncode, done.stderr, sorted(each.name for each in self.folder.glob("*.yaml"))

    def command(self, text, *more):
        """`python -m weir_kfp compile`, in this process, for it starts fast."""
        self.source.write_text(HEAD + text)
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            status = main(["compile", str(self.source), *more])
        sys.modules.pop("mine", None)
        gc.collect()  # the decorated functions of this file are gone with it
        return status, said.getvalue(), sorted(each.name for each in self.folder.glob("*.yaml"))

    def script(self, text, pipeline="good"):
        self.source.write_text(
            HEAD + text + f"compiler.Compiler().compile({pipeline}, __file__.replace('mine.py', '{pipeline}.yaml'))\n"
        )
        return self.run_python(self.source)

    def line(self, part, which=None):
        """FILE:LINE of the only line with this, or of one of them."""
        found = [i for i, each in enumerate(self.source.read_text().splitlines(), 1) if part in each]
        if which is None:
            self.assertEqual(len(found), 1, part)
        return f"{self.source}:{found[which or 0]}" + (": " if which is None else "")


class Forgotten(Files):
    PLAIN = "@weir.schedule('0 7 * * *')\n@weir.trigger('y', parameters={'t': 'event.id'})\ndef forgot(t: str):\n    say(t=t)\n"
    BELOW = (
        "@dsl.component(base_image='python:3.11')\n@weir.trigger('y')\ndef task(t: str):\n    print(t)\n"
        "@weir.flow()\n@dsl.pipeline\ndef uses(t: str):\n    task(t=t)\n"
    )

    def test_a_function_that_is_no_pipeline(self):
        for run in (self.command, self.script):
            with self.subTest(run.__name__):
                status, said, files = run(GOOD + self.PLAIN)
                self.assertEqual((status, files), (1, []), said)
                cure = " stands on the function forgot, which @dsl.pipeline made no pipeline of: write @dsl.pipeline above it"
                self.assertIn(self.line("schedule(") + "@weir.schedule" + cure, said)
                self.assertIn(self.line("trigger('y'") + "@weir.trigger" + cure, said)

    def test_nothing_else_in_the_file(self):
        status, said, files = self.command(self.PLAIN)
        self.assertEqual((status, files), (1, []))
        self.assertIn(self.line("trigger('y'"), said)

    def test_below_a_component(self):
        for run in (self.command, lambda text: self.script(text, "uses")):
            status, said, files = run(self.BELOW)
            self.assertEqual((status, files), (1, []), said)
            self.assertIn(self.line("trigger('y'") + "@weir.trigger stands on the function task", said)
            self.assertIn("on a component no decorator of weir does anything", said)

    def test_what_is_complete_says_nothing(self):
        status, said, files = self.command(GOOD + self.PLAIN.replace("def forgot", "@dsl.pipeline\ndef forgot").replace(
            "@weir.schedule('0 7 * * *')", "@weir.schedule('0 7 * * *', parameters={'t': \"'a'\"})"))  # fmt: skip
        self.assertEqual((status, len(files)), (0, 4), said)


class Bare(Files):
    def test_each_decorator_without_parentheses(self):
        cures = {"trigger": '("data.ready")', "schedule": '("0 7 * * *")', "on_finish": "(train)", "flow": "()"}
        for name, cure in cures.items():
            for above in (True, False):
                order = [f"@weir.{name}\n", "@dsl.pipeline\n"]
                with self.subTest(name, above=above):
                    status, said, files = self.command("".join(order if above else order[::-1]) + "def p(t: str):\n    say(t=t)\n")
                    self.assertEqual((status, files), (1, []), said)
                    self.assertIn(f"{self.line('@weir.')}@weir.{name} stands without its parentheses; write @weir.{name}{cure}", said)

    def test_a_pipeline_as_the_option_is_none(self):
        status, said, _ = self.command(GOOD + "@weir.on_finish(good, parameters={'t': 'run.id'})\n@dsl.pipeline\ndef p(t: str):\n    say(t=t)\n")
        self.assertEqual(status, 0, said)


class Together(Files):
    """Pipelines of one file."""

    OTHER = GOOD.replace("def good", "def other")

    def test_two_pipelines_of_one_name(self):
        named = "@dsl.pipeline(name='train')"
        text = GOOD.replace("@dsl.pipeline", named) + self.OTHER.replace("@dsl.pipeline", named + " # second")
        status, said, files = self.command(text)
        self.assertEqual((status, files), (1, []))
        self.assertIn("the pipeline train would be written over the one at " + self.line("@weir.trigger('x'", 0), said)
        self.assertIn("give one of them another name: @dsl.pipeline(name=...)", said)
        self.assertTrue(said.startswith(self.line("@weir.trigger('x'", 1)), said)

    def test_two_flows_or_triggers_of_one_name(self):
        for kind, decorator in (("flow", "@weir.flow('same')\n"), ("trigger", "")):
            text = GOOD + self.OTHER
            text = decorator + GOOD + decorator + self.OTHER if decorator else text.replace("'x', ", "'x', name='same', ")
            status, said, files = self.command(text)
            self.assertEqual((status, files), (1, []))
            self.assertIn(f'the {kind} "same" stands at ', said)

    def test_the_problems_of_all_of_them(self):
        text = (GOOD + self.OTHER).replace("'t': 'event.id'", "'u': 'event.id'") + Forgotten.PLAIN
        status, said, files = self.command(text)
        self.assertEqual((status, files), (1, []))
        self.assertEqual(len(said.splitlines()), 6, said)  # no input u, t is not given: of two; two decorators in vain
        for line in said.splitlines():
            self.assertTrue(line.startswith(f"{self.source}:"), line)


if __name__ == "__main__":
    unittest.main()
