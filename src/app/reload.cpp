#include "reload.hpp"

#include <algorithm>

#include <weir/base/log.hpp>

namespace weir::app {
namespace {

std::string joined(const std::vector<std::string>& names) {
    std::string out;
    for (const auto& name : names)
        out += (out.empty() ? "" : ", ") + name;
    return out;
}

} // namespace

config::Config overridden(config::Config config, const cli::ServeOptions& given) {
    if (given.data) config.data = *given.data;
    if (given.address) config.listen.address = *given.address;
    if (given.port) config.listen.port = *given.port;
    if (given.instance) config.instance = *given.instance;
    if (given.log_level) config.log_level = *given.log_level;
    for (const auto& option : given.folders) {
        std::erase_if(config.folders, [&](const auto& folder) { return folder.name == option.name; });
        config::Folder folder;
        folder.name = option.name;
        folder.directory = option.directory;
        folder.publish_existing = option.publish_existing;
        config.folders.push_back(std::move(folder));
    }
    config.apply.insert(config.apply.end(), given.apply.begin(), given.apply.end());
    auto& hosts = config.listen.allowed_hosts;
    hosts.insert(hosts.end(), given.allowed_hosts.begin(), given.allowed_hosts.end());
    return config;
}

void reload(Node& node, const cli::ServeOptions& given) {
    auto read = config::read_config(given.config);
    if (!read.ok()) {
        log::error("the configuration is wrong; nothing was changed",
                   {{"file", given.config}, {"problems", read.error().message}});
        return;
    }
    auto config = overridden(std::move(*read), given);
    const auto running = node.running();
    std::vector<config::Token> tokens;
    if (running.auth.required) {
        // Whether tokens are asked for is settled until a restart.
        if (config.auth.tokens.empty()) config.auth.tokens = running.auth.tokens;
        auto known = config::read_tokens(config.auth.tokens);
        if (!known.ok()) {
            log::error("the tokens are wrong; nothing was changed", {{"problems", known.error().message}});
            return;
        }
        tokens = std::move(*known);
    }
    const auto changes = config::changes_between(running, config);
    if (!changes.restart.empty())
        log::warn("the configuration has changes that need a restart; they were left out",
                  {{"needs_restart", joined(changes.restart)}});
    node.take_live(config, std::move(tokens));
    log::info("the configuration was read again",
              {{"file", given.config}, {"changed", joined(changes.live)}});
}

} // namespace weir::app
