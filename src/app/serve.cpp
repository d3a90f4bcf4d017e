#include "serve.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <weir/base/crash_point.hpp>
#include <weir/base/log.hpp>
#include <weir/flows/local/supervisor.hpp>

#include "buses.hpp"
#include "node.hpp"
#include "reload.hpp"
#include "signals.hpp"
#include "tokens.hpp"

namespace weir::app {
namespace {

int failed(const char* command, const Error& error) {
    std::fprintf(stderr, "weir %s: %s\n", command, error.message.c_str());
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

/// Everything that can be wrong before anything is opened.
Status check(const config::Config& config, bool makes_token) {
    const auto loopback = config::is_loopback(config.listen.address);
    if (!loopback.ok()) return loopback.error();
    if (!*loopback && !config.auth.required)
        return Error(ErrorKind::Denied, config.listen.address +
                                            " is beyond loopback, where nothing is served without tokens: a "
                                            "configuration file with `auth: {required: true, tokens: FILE}` "
                                            "asks for them");
    const auto& hosts = config.listen.allowed_hosts;
    if (!config.auth.required && std::find(hosts.begin(), hosts.end(), "*") != hosts.end())
        return invalid("any host may be allowed only with `auth.required: true`");
    if (config.auth.required && config.auth.tokens.empty() && !makes_token)
        return invalid(config.file + ": auth.required needs auth.tokens, a file that `weir token new` fills");
    WEIR_TRY(check_bus_kinds(config));
    WEIR_TRY(check_backend_kinds(config));
    const auto outside = config::check_outside(config);
    std::string all;
    for (const auto* list : {&outside.problems, &outside.warnings})
        for (const auto& line : *list)
            all += (all.empty() ? "" : "\n") + line;
    if (!all.empty()) return invalid(std::move(all));
    return {};
}

int run(const char* command, NodeOptions options, const cli::ServeOptions& given) {
    const auto& config = options.config;
    log::init(log::level_from(config.log_level));
    if (const char* point = std::getenv("WEIR_CRASH_AT"); point != nullptr) crash_at(point);
    if (const char* point = std::getenv("WEIR_FREEZE_AT"); point != nullptr) freeze_at(point);
    if (const auto right = check(config, options.makes_token); !right.ok())
        return failed(command, right.error());
    if (const auto made = make_data_folder(config.data); !made.ok()) return failed(command, made.error());

    // The supervisor forks off first: a process with threads cannot be forked safely.
    auto supervisor = flows::local::Supervisor::start();
    if (!supervisor.ok()) return failed(command, supervisor.error());
    const bool reloads = !options.makes_token;
    Signals signals(reloads);
    auto node = Node::open(options, *supervisor);
    if (!node.ok()) return failed(command, node.error());
    signals.start([&] { (*node)->stop(); }, [&] { reload(**node, given); });

    if (const auto started = (*node)->start(); !started.ok()) {
        Signals::request();
        (void)(*node)->run();
        return failed(command, started.error());
    }
    if (const auto written = write_ready_file(given.on_ready, (*node)->url()); !written.ok())
        log::warn("the ready file was not written", {{"error", written.error().message}});
    std::printf("weir %s is ready at %s (data: %s); stop it with Ctrl-C\n", command, (*node)->url().c_str(),
                config.data.c_str());
    std::fflush(stdout);
    const auto ended = (*node)->run();
    return ended.ok() ? cli::exit_done : failed(command, ended.error());
}

} // namespace

int dev(const cli::ServeOptions& options) {
    auto config = options.config.empty() ? config::Config::laptop() : config::Config{};
    if (!options.config.empty()) {
        auto read = config::read_config(options.config);
        if (!read.ok()) return failed("dev", read.error());
        config = std::move(*read);
    }
    NodeOptions node;
    node.config = overridden(std::move(config), options);
    node.makes_token = true;
    node.facade = true;
    return run("dev", std::move(node), options);
}

int serve(const cli::ServeOptions& options) {
    auto config = config::read_config(options.config);
    if (!config.ok()) return failed("serve", config.error());
    NodeOptions node;
    node.config = overridden(std::move(*config), options);
    node.take_over = options.take_over;
    return run("serve", std::move(node), options);
}

} // namespace weir::app
