#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <weir/cli/cli.hpp>
#include <weir/server/http_server.hpp>

#include "../server/rig.hpp"

namespace weir::cli::test {

/// A folder that goes with the test.
class Folder {
  public:
    Folder() {
        auto pattern = (std::filesystem::temp_directory_path() / "weir-cli-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::string write(const std::string& name, const std::string& text) const {
        const auto path = std::filesystem::path(path_) / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << text;
        return path.string();
    }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ifstream file(std::filesystem::path(path_) / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

/// Sends a stream of this process into a file while it lives.
class Redirect {
  public:
    Redirect(FILE* stream, const std::string& path) : stream_(stream) {
        std::fflush(stream);
        kept_ = ::dup(::fileno(stream));
        const int file = ::open(path.c_str(), O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
        ::dup2(file, ::fileno(stream));
        ::close(file);
    }
    ~Redirect() {
        std::fflush(stream_);
        ::dup2(kept_, ::fileno(stream_));
        ::close(kept_);
    }
    Redirect(const Redirect&) = delete;
    Redirect& operator=(const Redirect&) = delete;

  private:
    FILE* stream_;
    int kept_ = -1;
};

struct Outcome {
    int code = -1;
    std::string out;
    std::string err;
};

/// Runs a command line in this process, as main() would.
inline Outcome invoke(std::vector<std::string> words, const Commands& hooks = {.version = "1.2.3"}) {
    const Folder folder;
    words.insert(words.begin(), "weir");
    std::vector<char*> argv;
    for (auto& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    Outcome outcome;
    {
        const Redirect out(stdout, folder.path() + "/out");
        const Redirect err(stderr, folder.path() + "/err");
        outcome.code = run(static_cast<int>(words.size()), argv.data(), hooks);
    }
    outcome.out = folder.read("out");
    outcome.err = folder.read("err");
    return outcome;
}

/// A real server over the in-memory ledger and an engine that takes notes; client commands find it.
struct Served {
    server::test::Rig rig;
    /// Called for each request, before it is answered, with how many came: 1, 2, ...
    std::function<void(int)> on_request;
    std::atomic<int> requests{0};
    std::unique_ptr<server::HttpServer> server;

    Served() {
        auto handler = rig.api.handler();
        handler.handle = [this, answer = handler.handle](const server::Request& request) {
            const int count = ++requests;
            if (on_request) on_request(count);
            return answer(request);
        };
        auto started = server::HttpServer::start("127.0.0.1", 0, handler);
        REQUIRE(started.ok());
        server = std::move(*started);
        rig.api.bound_to(server->port());
        ::setenv("WEIR_SERVER", url().c_str(), 1);
        ::setenv("USER", "alice", 1);
    }
    ~Served() { ::unsetenv("WEIR_SERVER"); }
    Served(const Served&) = delete;
    Served& operator=(const Served&) = delete;

    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(server->port()); }
};

using server::test::holds;

} // namespace weir::cli::test
