#include <algorithm>
#include <set>

#include <sys/stat.h>

#include <support/catch.hpp>

#include <weir/events/json_codec.hpp>

#include "world.hpp"

using namespace weir;
using namespace weir::tests;

TEST_CASE("a file has landed when its writer closes it") {
    World world;
    world.open();
    std::ofstream out(world.in() / "a.csv");
    out << "half";
    out.flush();
    world.pass(1h);
    CHECK(world.news().empty());
    out << "whole";
    out.close();
    world.round();
    CHECK(world.news() == Names{"a.csv"});
    const auto& event = world.all.front();
    CHECK(event.type == "weir.file.landed");
    CHECK(event.source == "/folder/inbox");
    CHECK(event.data_kind == DataKind::Json);
    CHECK(event.data.find("\"path\":\"" + (world.in() / "a.csv").string() +
                          "\",\"name\":\"a.csv\",\"size\":9,\"modified\":\"") != std::string::npos);
    CHECK(event.data.find("\"folder\":\"" + world.in().string() + "\",\"uri\":\"file:///") !=
          std::string::npos);
    CHECK(event.data.find(event.time) != std::string::npos);
    CHECK(world.watcher->state().published == 1);
    CHECK(world.watcher->state().healthy);
    world.pass(1h);
    CHECK(world.news().empty());
    // Written again it has landed again, with another id; opened for writing without a change it has not.
    world.write("a.csv", "again and longer");
    { std::ofstream touched(world.in() / "a.csv", std::ios::app); }
    world.round();
    CHECK(world.news() == Names{"a.csv"});
    CHECK(world.all[0].id != world.all[1].id);
}

TEST_CASE("a file has landed when it is moved or linked into the folder") {
    World world;
    world.open();
    std::ofstream(world.root / "outside") << "x";
    fs::rename(world.root / "outside", world.in() / "moved");
    world.write("x.tmp", "y");
    fs::rename(world.in() / "x.tmp", world.in() / "renamed");
    world.round();
    CHECK(world.news() == Names{"moved", "renamed"});
    std::ofstream(world.root / "elsewhere") << "x";
    fs::create_hard_link(world.root / "elsewhere", world.in() / "linked");
    world.round();
    CHECK(world.news().empty());
    world.pass(2s);
    CHECK(world.news() == Names{"linked"});
    // Folders, symbolic links and pipes are no files.
    fs::create_directory(world.in() / "sub");
    std::ofstream(world.in() / "sub" / "deep") << "x";
    fs::create_symlink(world.root / "elsewhere", world.in() / "symbolic");
    REQUIRE(::mkfifo((world.in() / "pipe").c_str(), 0600) == 0);
    world.pass(10s);
    CHECK(world.news().empty());
}

TEST_CASE("hidden and temporary names and those outside of the pattern are ignored") {
    World world;
    world.options.pattern = "*.csv*";
    world.open();
    for (const auto* name : {"a.csv", ".a.csv", "a.csv~", "a.csv.tmp", "a.csv.part", "a.csv.crdownload",
                             "#a.csv#", "a.txt", ".csv"})
        world.write(name, "x");
    world.round();
    CHECK(world.news() == Names{"a.csv"});
    world.stop();
    world.options.hidden = world.options.temporary = true;
    world.options.pattern = "*";
    world.open();
    world.pass(2s);
    CHECK(world.news().size() == 8);
}

TEST_CASE("what lies there at first is ignored or published as asked") {
    World world;
    world.write("old", "x");
    SECTION("ignore") {
        world.open();
        world.pass(1h);
        CHECK(world.news().empty());
        world.write("old", "changed");
        world.round();
        CHECK(world.news() == Names{"old"});
    }
    SECTION("publish, once it is stable") {
        world.options.existing = Existing::Publish;
        std::ofstream growing(world.in() / "growing");
        growing << "x" << std::flush;
        world.open();
        CHECK(world.news().empty());
        world.pass(1s);
        growing << "y" << std::flush;
        world.pass(1s);
        CHECK(world.news() == Names{"old"});
        world.pass(1999ms);
        CHECK(world.news().empty());
        world.pass(1ms);
        CHECK(world.news() == Names{"growing"});
        growing << "z";
        growing.close();
        world.round();
        CHECK(world.news() == Names{"growing"});
    }
    SECTION("publish: a writer that closes it settles it at once") {
        world.options.existing = Existing::Publish;
        std::ofstream growing(world.in() / "growing");
        growing << "x" << std::flush;
        world.open();
        growing.close();
        world.round();
        CHECK(world.news() == Names{"growing"});
        world.pass(2s);
        CHECK(world.news() == Names{"old"});
    }
}

TEST_CASE("a restart neither misses nor repeats") {
    World world;
    world.open();
    world.write("a", "1");
    world.write("b", "1");
    world.round();
    CHECK(world.news().size() == 2);
    world.stop();
    world.write("c", "while away");
    world.write("b", "changed while away");
    fs::remove(world.in() / "a");
    world.open();
    CHECK(world.news().empty());
    world.pass(2s);
    CHECK(world.news() == Names{"b", "c"});
    world.stop();
    world.open();
    world.pass(1h);
    CHECK(world.news().empty());
    // Forgotten with the file: the same name may land anew.
    world.write("a", "1");
    world.round();
    CHECK(world.news() == Names{"a"});
    std::set<std::string> ids;
    for (const auto& event : world.all)
        ids.insert(event.id);
    CHECK(ids.size() == world.all.size());
}

TEST_CASE("a crash between publishing and noting it repeats the same event") {
    World world;
    world.open();
    world.stop();
    world.open();
    // The state as it was before the landing, brought back after it.
    fs::copy_file(world.root / "state.db", world.root / "before.db");
    fs::copy_file(world.root / "state.db-wal", world.root / "before.db-wal");
    world.write("a", "x");
    world.round();
    REQUIRE(world.news() == Names{"a"});
    world.stop();
    for (const auto* suffix : {"-wal", "-shm"})
        fs::remove(world.root / ("state.db" + std::string(suffix)));
    fs::copy_file(world.root / "before.db", world.root / "state.db", fs::copy_options::overwrite_existing);
    fs::copy_file(world.root / "before.db-wal", world.root / "state.db-wal");
    world.open();
    world.pass(2s);
    REQUIRE(world.news() == Names{"a"});
    CHECK(world.all[0] == world.all[1]);
}

TEST_CASE("an unavailable sink is asked again, and nothing is lost or doubled meanwhile") {
    World world;
    world.open();
    world.answer = unavailable("no room");
    for (int i = 0; i < 5; ++i)
        world.write("f" + std::to_string(i), "x");
    world.round();
    CHECK(world.calls == 1);
    CHECK_FALSE(world.watcher->state().healthy);
    CHECK(world.watcher->state().detail.find("no room") != std::string::npos);
    world.round();
    CHECK(world.calls == 1);
    world.pass(200ms);
    CHECK(world.calls == 2);
    world.pass(200ms);
    CHECK(world.calls == 2);
    world.write("f0", "changed while it waits");
    world.write("late", "x");
    world.answer.reset();
    world.pass(5s);
    CHECK(world.news() == Names{"f0", "f1", "f2", "f3", "f4", "late"});
    CHECK(world.watcher->state().healthy);
    world.stop();
    world.open();
    world.pass(1h);
    CHECK(world.news().empty());
}

TEST_CASE("more landings than may wait are found by a scan") {
    World world;
    world.options.pending_max = 4;
    world.options.batch_max = 3;
    world.open();
    world.answer = unavailable("no room");
    std::set<std::string> expected;
    for (int i = 0; i < 20; ++i) {
        const auto name = "f" + std::to_string(i);
        world.write(name, "x");
        expected.insert(name);
    }
    world.round();
    world.answer.reset();
    std::set<std::string> seen;
    for (int i = 0; i < 20; ++i) {
        world.pass(5s);
        for (const auto& name : world.news())
            CHECK(seen.insert(name).second);
    }
    CHECK(seen == expected);
    CHECK(world.watcher->state().published == 20);
}

TEST_CASE("an event that is refused for good is skipped, said, and holds up no other") {
    World world;
    world.refuse = "f2";
    world.open();
    for (int i = 0; i < 5; ++i)
        world.write("f" + std::to_string(i), "x");
    for (int i = 0; i < 10; ++i)
        world.round();
    CHECK(world.news() == Names{"f0", "f1", "f3", "f4"});
    CHECK(world.watcher->state().detail.find("\"f2\" was refused: no such thing") != std::string::npos);
}

TEST_CASE("a folder that goes away shows, and is watched again when it is back") {
    World world;
    world.open();
    world.write("a", "x");
    world.round();
    CHECK(world.news() == Names{"a"});
    SECTION("moved away and back") {
        fs::rename(world.in(), world.root / "away");
        world.round();
        CHECK_FALSE(world.watcher->state().healthy);
        CHECK(world.watcher->state().detail.find(world.in().string()) != std::string::npos);
        std::ofstream(world.root / "away" / "b") << "x";
        world.pass(1s);
        fs::rename(world.root / "away", world.in());
        world.pass(1s);
        CHECK(world.watcher->state().healthy);
        world.pass(2s);
        CHECK(world.news() == Names{"b"});
    }
    SECTION("deleted and made anew") {
        fs::remove_all(world.in());
        world.round();
        CHECK_FALSE(world.watcher->state().healthy);
        world.pass(1s);
        CHECK_FALSE(world.watcher->state().healthy);
        fs::create_directory(world.in());
        world.write("c", "x");
        world.pass(1s);
        CHECK(world.watcher->state().healthy);
        world.pass(2s);
        CHECK(world.news() == Names{"c"});
        world.write("d", "x");
        world.round();
        CHECK(world.news() == Names{"d"});
    }
    SECTION("replaced by another") {
        fs::create_directory(world.root / "other");
        std::ofstream(world.root / "other" / "e") << "x";
        fs::rename(world.in(), world.root / "away");
        fs::rename(world.root / "other", world.in());
        world.pass(1s);
        world.pass(1s);
        CHECK(world.watcher->state().healthy);
        world.pass(2s);
        CHECK(world.news() == Names{"e"});
    }
}

TEST_CASE("a folder that is not there yet is waited for, and then all in it has landed") {
    World world;
    fs::remove(world.in());
    world.open();
    CHECK_FALSE(world.watcher->state().healthy);
    CHECK(world.watcher->state().detail.find("does not exist") != std::string::npos);
    fs::create_directory(world.in());
    world.write("first", "x");
    world.pass(1s);
    world.pass(2s);
    CHECK(world.news() == Names{"first"});
    CHECK(world.watcher->state().healthy);
}

TEST_CASE("names that are no UTF-8 or hold odd characters make good events") {
    World world;
    world.open();
    for (const auto* name : {"gr\xfc\xdf", "line\nbreak", "100% \"x\"", "\xf0\x9f\x8c\x8a", "\xef\xbf\xbf",
                             "\xe2\x82", "\xc2\x85"})
        world.write(name, "x");
    world.round();
    CHECK(world.news() == Names{"gr\xef\xbf\xbd\xef\xbf\xbd",
                                "line\xef\xbf\xbd"
                                "break",
                                "100% \"x\"", "\xf0\x9f\x8c\x8a", "\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd",
                                "\xef\xbf\xbd"});
    CHECK(world.all[0].data.find("gr%FC%DF\"") != std::string::npos);
    CHECK(world.all[0].data.find("\"name_exact\":false") != std::string::npos);
    CHECK(world.all[1].data.find("line\\nbreak") != std::string::npos);
    CHECK(world.all[1].data.find("name_exact") == std::string::npos);
    CHECK(world.all[2].data.find("100%25%20%22x%22") != std::string::npos);
    for (const auto& event : world.all)
        CHECK(decode_json(encode_json(event)).ok());
    world.stop();
    world.open();
    world.pass(2s);
    CHECK(world.news().empty());
}

TEST_CASE("when the kernel's queue overflows, the folder is scanned") {
    World world;
    world.open();
    std::ifstream limit("/proc/sys/fs/inotify/max_queued_events");
    std::size_t queued = 0;
    limit >> queued;
    if (queued == 0 || queued > 100'000) return; // too long to fill
    // Each turn gives four events, none of which are merged.
    world.write("a", "x");
    for (std::size_t made = 0; made < queued + 100; made += 4) {
        fs::rename(world.in() / "a", world.in() / "b");
        fs::rename(world.in() / "b", world.in() / "a");
    }
    world.write("last", "x");
    for (int i = 0; i < 40; ++i)
        world.pass(1s);
    const auto names = world.news();
    CHECK(std::count(names.begin(), names.end(), "last") == 1);
    CHECK(world.watcher->state().healthy);
}
