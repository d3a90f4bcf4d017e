"""Each check of the house can fail: here is a small house for each, with one thing wrong in it."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from house import calls, files, floor, headers, lengths, symbols, tree  # noqa: E402


class Planted(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="weir-tidy-"))
        self.addCleanup(shutil.rmtree, self.root)
        self.put("base/include/weir/base/result.hpp", "#pragma once\n")
        self.put("events/include/weir/events/event.hpp", "#pragma once\n#include <weir/base/result.hpp>\n")
        self.put("events/include/weir/events/embedded_bus.hpp", "#pragma once\n")
        self.put("triggers/include/weir/triggers/matcher.hpp", "#pragma once\n#include <weir/events/event.hpp>\n")
        self.put("flows/include/weir/flows/registry.hpp", "#pragma once\n")
        self.put("flows/launch/local/include/weir/flows/local/local_backend.hpp", "#pragma once\n")
        self.put("src/ledger/include/weir/ledger/ledger.hpp", "#pragma once\n")
        self.put("src/app/include/weir/app/app.hpp", "#pragma once\n")

    def put(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def finds(self, check, word, *extra):
        """The check finds exactly one thing, and says `word` of it."""
        findings = check(tree.Tree(self.root), *extra)
        self.assertEqual(len(findings), 1, findings)
        self.assertIn(word, findings[0])

    def clean(self, check):
        self.assertEqual(check(tree.Tree(self.root)), [])

    # --- floor
    def test_a_clean_house(self):
        for check in (floor.check, calls.check, lengths.check, files.loose, files.machines, files.public_headers):
            self.clean(check)

    def test_an_arrow_up(self):
        self.put("base/src/result.cpp", "#include <weir/events/event.hpp>\n")
        self.finds(floor.check, "base may not include events")

    def test_triggers_and_flows_never_meet(self):
        self.put("triggers/src/matcher.cpp", "#include <weir/flows/registry.hpp>\n")
        self.finds(floor.check, "triggers may not include flows")

    def test_the_engine_names_no_adapter(self):
        self.put("src/engine/core/core.cpp", "#include <weir/flows/local/local_backend.hpp>\n")
        self.finds(floor.check, "is an adapter")
        self.put("src/engine/core/core.cpp", "#include <weir/events/embedded_bus.hpp>\n")
        self.finds(floor.check, "is an adapter")

    def test_the_app_may(self):
        self.put("src/app/main.cpp", "#include <weir/flows/local/local_backend.hpp>\n")
        self.put("flows/launch/local/src/x.cpp", "#include <weir/flows/local/local_backend.hpp>\n#include <weir/flows/registry.hpp>\n")
        self.clean(floor.check)

    def test_only_the_reading_side(self):
        self.put("src/server/src/api.cpp", "#include <weir/ledger/ledger.hpp>\n")
        self.finds(floor.check, "may include of src/ledger only")

    def test_nothing_includes_app(self):
        self.put("src/cli/src/x.cpp", "#include <weir/app/app.hpp>\n")
        self.finds(floor.check, "nothing includes src/app")

    def test_a_header_that_is_not_there(self):
        self.put("src/cli/src/x.cpp", "#include <weir/cli/gone.hpp>\n")
        self.finds(floor.check, "no header of this house")

    def test_code_outside_the_plan(self):
        self.put("src/misc/x.cpp", "\n")
        self.finds(floor.check, "lies in no library")

    # --- calls
    def test_banned_calls(self):
        for snippet, word in (
            ("auto t = std::chrono::system_clock::now();", "a clock"),
            ("auto t = ::time(nullptr);", "a clock"),
            ("void f() { std::this_thread::sleep_for(s); }", "a sleep"),
            ("void f() { ::usleep(3); }", "a sleep"),
            ("int x = rand();", "chance"),
            ("std::random_device d;", "chance"),
            ("int x = std::system(text);", "a shell"),
            ("auto* p = popen(text, mode);", "a shell"),
            ('auto* p = std::getenv("HOME");', "the environment"),
            ("void f() { std::cout << 1; }", "the terminal"),
            ('void f() { std::printf("x"); }', "the terminal"),
            ('auto s = std::format("{}", 1);', "<format>"),
            ("void f() { thread.detach(); }", "a thread"),
            ("using namespace std;", "using namespace std"),
            ("void f() { std::exit(1); }", "an abrupt end"),
        ):
            with self.subTest(snippet):
                self.put("src/engine/core/core.cpp", snippet + "\n")
                self.finds(calls.check, word)

    def test_words_that_are_no_calls(self):
        self.put(
            "src/engine/core/core.cpp",
            "// std::cout, rand() and sleep_for() in a comment\n"
            'const char* s = "system(x) getenv(y)";\n'
            "auto a = event.time(0); auto b = file_system(x); auto c = row.time (0); auto n = 1'000'000;\n"
            'auto d = R"(std::cout << rand())"; char e = \'"\'; auto f = "rand()";\n',
        )
        self.clean(calls.check)

    def test_unit_tests_do_not_sleep(self):
        self.put("tests/engine/core_test.cpp", "void f() { std::this_thread::sleep_for(s); }\n")
        self.finds(calls.check, "a sleep")

    # --- lengths
    def test_a_long_file(self):
        self.put("base/src/x.cpp", "int x;\n" * 501)
        self.finds(lengths.check, "501 lines")

    def test_a_long_function(self):
        for head in ("void f() {", "X::X(int a) : a_{a}, b_(b) {", "auto X::f(int a) const -> int {", "bool operator()(int) noexcept {"):
            with self.subTest(head):
                body = "    if (a) {\n        g();\n    }\n" * 23
                self.put("base/src/x.cpp", f"namespace weir {{\nclass Y {{ int y; }};\n{head}\n{body}}}\n}}\n")
                self.finds(lengths.check, "71 lines")

    def test_long_scopes_and_tables_are_no_functions(self):
        inside = "int f(int a) {\n    return a;\n}\n" * 30
        table = "const int table[] = {\n" + "    {1, 2},\n" * 80 + "};\n"
        self.put("base/src/x.cpp", f"namespace weir {{\nstruct X : Y<int> {{\n{inside}}};\n{table}}}\n")
        self.clean(lengths.check)

    def test_a_long_readme(self):
        self.put("base/README.md", "x\n" * 61)
        self.finds(lengths.check, "61 lines")

    # --- files
    def test_a_dead_source(self):
        self.put("events/meson.build", "lib = static_library('x', 'src/alive.cpp')\n")
        self.put("events/src/alive.cpp", "")
        self.put("events/src/dead.cpp", "")
        self.finds(files.dead_sources, "events/src/dead.cpp")

    def test_names_made_in_a_loop_are_alive(self):
        self.put("tests/base/meson.build", "foreach name : ['ids']\n  x += name + '_test.cpp'\nendforeach\n")
        self.put("tests/base/ids_test.cpp", "")
        self.clean(files.dead_sources)

    def test_a_dead_header(self):
        self.root.joinpath("src").mkdir(exist_ok=True)
        used = ["weir/base/result.hpp", "weir/events/event.hpp", "weir/events/embedded_bus.hpp", "weir/triggers/matcher.hpp"]
        used += ["weir/flows/registry.hpp", "weir/flows/local/local_backend.hpp", "weir/app/app.hpp"]
        self.put("src/app/main.cpp", "".join(f"#include <{name}>\n" for name in used))
        self.finds(files.dead_headers, "src/ledger/include/weir/ledger/ledger.hpp")

    def test_a_dead_script(self):
        self.put("deploy/forgotten.sh", "")
        self.finds(files.dead_scripts, "deploy/forgotten.sh")

    def test_loose_files(self):
        self.put("src/main.cpp", "")
        self.finds(files.loose, "lies loose")
        (self.root / "src/main.cpp").unlink()
        self.put("utils/x.cpp", "")
        self.finds(files.loose, "floor plan")

    def test_missing_readmes(self):
        findings = files.readmes(tree.Tree(self.root))
        for folder in ("base", "events", "triggers", "flows", "flows/launch/local", "src", "src/ledger"):
            self.assertIn(f"{folder}/README.md:1: missing", findings)

    def test_a_path_that_a_readme_made_up(self):
        self.put("base/README.md", "See `base/include/weir/base/result.hpp`, `include/weir/base/gone.hpp`, `a/b` and [x](../events).\n")
        self.finds(files.readme_paths, "gone.hpp")
        self.put("base/README.md", "See [x](gone.md).\n")
        self.finds(files.readme_paths, "leads nowhere")

    def test_one_machine(self):
        for text in ("see /wor" + "k/main", "https://pypi.o" + "rg/simple", "/hom" + "e/ann/x", "cp /roo" + "t/x y"):
            with self.subTest(text):
                self.put("base/README.md", text + "\n")
                self.finds(files.machines, "names one machine")

    def test_public_headers(self):
        self.put("base/include/weir/base/json.hpp", "#pragma once\n#include <nlohmann/json.hpp>\n#include <string>\n")
        self.finds(files.public_headers, "nlohmann")
        self.put("base/include/weir/base/json.hpp", "#include <string>\n")
        self.finds(files.public_headers, "#pragma once")

    # --- what is built
    def test_a_header_that_does_not_compile_alone(self):
        build = self.root / "build"
        build.mkdir()
        self.put("base/src/x.cpp", "#include <string>\n")
        entry = f'{{"directory": "{build}", "file": "../base/src/x.cpp", "command": "g++ -std=c++20 -c ../base/src/x.cpp -o x.o"}}'
        (build / "compile_commands.json").write_text(f"[{entry}]")
        shutil.rmtree(self.root / "events")
        shutil.rmtree(self.root / "triggers")
        self.assertEqual(headers.check(tree.Tree(self.root), build), [])
        self.put("base/include/weir/base/text.hpp", "#pragma once\ninline std::string f();\n")
        self.finds(headers.check, "does not compile alone", build)
        # A good answer is remembered, and forgotten when the file changes.
        self.put("base/include/weir/base/text.hpp", "#pragma once\n#include <string>\nstd::string f();\n")
        self.assertEqual(headers.check(tree.Tree(self.root), build), [])
        self.put("base/include/weir/base/text.hpp", "#pragma once\nstd::string f();\n")
        self.finds(headers.check, "does not compile alone", build)

    def test_a_library_that_does_not_link_alone(self):
        def build_library(name, code):
            source = self.root / f"{name}.cpp"
            source.write_text(code)
            subprocess.run(["g++", "-c", source, "-o", self.root / f"{name}.o"], check=True)
            subprocess.run(["ar", "rcs", self.root / f"{name}.a", self.root / f"{name}.o"], check=True)
            return symbols.symbols(self.root / f"{name}.a")

        tables = {
            "base": build_library("base", "namespace weir { int up(); int low() { return up(); } }"),
            "events": build_library("events", "namespace weir { int low(); int gone(); int up() { return low() + gone(); } }"),
        }
        rooms = {"base": "base", "events": "events"}
        findings = symbols.judge(tables, rooms)
        self.assertEqual(len(findings), 2, findings)
        self.assertIn("base needs _ZN4weir2upEv, which lies in events", findings[0])
        self.assertIn("events needs _ZN4weir4goneEv, which no library defines", findings[1])


if __name__ == "__main__":
    unittest.main()
