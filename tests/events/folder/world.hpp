#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <stdlib.h>

#include <support/catch.hpp>

#include <weir/events/folder_source.hpp>

#include "watcher.hpp"

namespace weir::tests {

using namespace weir::events;
using namespace std::chrono_literals;
using folder::Watcher;
namespace fs = std::filesystem;

/// A watched folder, a manual clock, and a sink that keeps what it is given.
struct World {
    World() {
        std::string name = (fs::temp_directory_path() / "weir-folder-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        root = name;
        fs::create_directory(in());
        options = {.name = "inbox", .folder = in().string(), .state_path = (root / "state.db").string()};
    }
    ~World() {
        watcher.reset();
        std::error_code ignored;
        fs::remove_all(root, ignored);
    }
    World(const World&) = delete;

    [[nodiscard]] fs::path in() const { return root / "in"; }
    void open() {
        auto opened = Watcher::open(options, clock);
        INFO((opened.ok() ? "" : opened.error().message));
        REQUIRE(opened.ok());
        watcher = std::move(opened).value();
        round();
    }
    void stop() {
        watcher->close();
        watcher.reset();
    }
    void round() { watcher->round(sink(), 0ns); }
    void pass(Duration time) {
        clock.advance(time);
        round();
    }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(in() / name, std::ios::binary) << text;
    }
    Sink sink() {
        return [this](std::span<const Event> events) -> Status {
            ++calls;
            if (answer && !answer->ok()) return *answer;
            for (const auto& event : events) {
                if (event.subject == refuse) return invalid("no such thing");
                REQUIRE(check(event).ok());
            }
            got.insert(got.end(), events.begin(), events.end());
            return {};
        };
    }
    /// Subjects published since the last call.
    std::vector<std::string> news() {
        std::vector<std::string> out;
        for (const auto& event : got)
            out.push_back(event.subject);
        all.insert(all.end(), got.begin(), got.end());
        got.clear();
        return out;
    }

    fs::path root;
    ManualClock clock{from_ns(1'700'000'000'000'000'000)};
    FolderOptions options;
    std::unique_ptr<Watcher> watcher;
    std::optional<Status> answer;
    std::string refuse = "none";
    int calls = 0;
    std::vector<Event> got, all;
};

using Names = std::vector<std::string>;

} // namespace weir::tests
