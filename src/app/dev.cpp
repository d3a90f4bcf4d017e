#include "dev.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <weir/base/crash_point.hpp>
#include <weir/base/log.hpp>
#include <weir/flows/local/supervisor.hpp>

#include "node.hpp"
#include "signals.hpp"

namespace weir::app {
namespace {

int failed(const Error& error) {
    std::fprintf(stderr, "weir dev: %s\n", error.message.c_str());
    return cli::exit_failed;
}

/// A mark for scripts: whole or not there.
Status write_ready_file(const std::string& path, const std::string& url) {
    if (path.empty()) return {};
    const std::string part = path + ".part";
    std::FILE* file = std::fopen(part.c_str(), "w");
    if (file == nullptr) return unavailable("cannot write " + part);
    std::fprintf(file, "%s\n", url.c_str());
    std::fclose(file);
    if (std::rename(part.c_str(), path.c_str()) != 0) return unavailable("cannot write " + path);
    return {};
}

Status make_data_folder(const std::string& path) {
    std::error_code error;
    const bool made = std::filesystem::create_directories(path, error);
    if (error)
        return Error(ErrorKind::Denied, "cannot make the data folder " + path + ": " + error.message());
    if (made)
        std::filesystem::permissions(path, std::filesystem::perms::owner_all,
                                     std::filesystem::perm_options::replace, error);
    return {};
}

} // namespace

int dev(const cli::DevOptions& options) {
    log::init(log::level_from(options.log_level));
    if (const char* point = std::getenv("WEIR_CRASH_AT"); point != nullptr) crash_at(point);
    if (const auto made = make_data_folder(options.data); !made.ok()) return failed(made.error());

    // The supervisor forks off first: a process with threads cannot be forked safely.
    auto supervisor = flows::local::Supervisor::start();
    if (!supervisor.ok()) return failed(supervisor.error());
    Signals signals;
    auto node = Node::open(options, *supervisor);
    if (!node.ok()) return failed(node.error());
    signals.on_stop([&] { (*node)->stop(); });

    if (const auto applied = (*node)->start(); !applied.ok()) {
        Signals::request();
        (void)(*node)->run();
        return failed(applied.error());
    }
    if (const auto written = write_ready_file(options.on_ready, (*node)->url()); !written.ok())
        log::warn("the ready file was not written", {{"error", written.error().message}});
    std::printf("weir dev is ready at %s (data: %s); stop it with Ctrl-C\n", (*node)->url().c_str(),
                options.data.c_str());
    std::fflush(stdout);
    const auto ended = (*node)->run();
    return ended.ok() ? cli::exit_done : failed(ended.error());
}

} // namespace weir::app
