#include <weir/events/folder_source.hpp>

#include <condition_variable>
#include <mutex>

#include <support/catch.hpp>

#include "world.hpp"

using namespace weir;
using namespace weir::tests;

TEST_CASE("wrong options are refused") {
    World world;
    const auto refusal = [&](auto change) {
        auto options = world.options;
        change(options);
        const auto opened = Watcher::open(options, world.clock);
        REQUIRE_FALSE(opened.ok());
        return opened.error().kind;
    };
    CHECK(refusal([](auto& o) { o.name = "a b"; }) == ErrorKind::Invalid);
    CHECK(refusal([](auto& o) { o.name.clear(); }) == ErrorKind::Invalid);
    CHECK(refusal([](auto& o) { o.folder.clear(); }) == ErrorKind::Invalid);
    CHECK(refusal([](auto& o) { o.state_path.clear(); }) == ErrorKind::Invalid);
    CHECK(refusal([](auto& o) { o.event_type.clear(); }) == ErrorKind::Invalid);
    CHECK(refusal([](auto& o) { o.pattern.clear(); }) == ErrorKind::Invalid);
    CHECK(refusal([](auto& o) { o.settle = -1s; }) == ErrorKind::Invalid);
    CHECK(refusal([](auto& o) { o.batch_max = 0; }) == ErrorKind::Invalid);
    std::ofstream(world.root / "text") << "this is no database, whatever its name may say of it";
    CHECK(refusal([&](auto& o) { o.state_path = (world.root / "text").string(); }) == ErrorKind::Invalid);
    world.open();
    CHECK(refusal([](auto&) {}) == ErrorKind::Conflict);
}

TEST_CASE("a state file of another folder starts anew") {
    World world;
    world.open();
    world.write("a", "x");
    world.round();
    CHECK(world.news() == Names{"a"});
    world.stop();
    const auto first = world.options.folder;
    fs::create_directory(world.root / "two");
    std::ofstream(world.root / "two" / "old") << "x";
    world.options.folder = (world.root / "two" / ".").string();
    world.open();
    world.pass(2s);
    CHECK(world.news().empty());
    CHECK(world.watcher->state().detail.find("/two for *") != std::string::npos);
}

TEST_CASE("the source runs on its own thread and gives nothing after stop") {
    World world;
    const SystemClock clock;
    auto source = make_folder_source(world.options, clock);
    REQUIRE(source.ok());
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> names;
    const Sink sink = [&](std::span<const Event> events) -> Status {
        std::lock_guard lock(mutex);
        for (const auto& event : events)
            names.push_back(event.subject);
        changed.notify_all();
        return {};
    };
    CHECK_FALSE((*source)->start({}).ok());
    REQUIRE((*source)->start(sink).ok());
    CHECK_FALSE((*source)->start(sink).ok());
    // The thread may see the folder before or after this file, which makes it landed or existing: so it is
    // written until it has landed.
    {
        std::unique_lock lock(mutex);
        int n = 0;
        while (names.empty()) {
            world.write("a", std::string(static_cast<std::size_t>(++n), 'x'));
            changed.wait_for(lock, 10ms, [&] { return !names.empty(); });
        }
    }
    (*source)->stop();
    const auto count = names.size();
    world.write("b", "x");
    CHECK(names.size() == count);
    CHECK((*source)->state().published == static_cast<std::int64_t>(count));
    CHECK((*source)->state().kind == "folder");
    (*source)->stop();
}
