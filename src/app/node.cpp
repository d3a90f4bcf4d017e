#include "node.hpp"

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <thread>

#include <weir/base/digest.hpp>
#include <weir/base/log.hpp>
#include <weir/events/embedded_bus.hpp>
#include <weir/events/folder_source.hpp>

#include "documents.hpp"
#include "signals.hpp"

namespace weir::app {
namespace {

constexpr auto checkpoint_every = std::chrono::seconds(5);
constexpr auto retention_every = std::chrono::hours(1);
constexpr auto payload_retention = std::chrono::hours(24 * 35);

std::string environments_folder(const std::string& data) {
    // Python environments are costly and the same for every data folder of a person.
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
        return std::string(cache) + "/weir/environments";
    if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
        return std::string(home) + "/.cache/weir/environments";
    return data + "/environments";
}

TriggerUid mint_uid() {
    Digest digest{};
    const auto random = random_bytes(digest.size());
    std::copy(random.begin(), random.end(), digest.begin());
    return {Uuid::time_led(SystemClock().now(), digest)};
}

} // namespace

Node::Node(const cli::DevOptions& options, flows::local::Supervisor& supervisor)
    : options_(options), supervisor_(supervisor), commits_(std::make_unique<Pool>(1, 16)) {}

Result<std::unique_ptr<Node>> Node::open(const cli::DevOptions& options,
                                         flows::local::Supervisor& supervisor) {
    std::unique_ptr<Node> node(new Node(options, supervisor));
    WEIR_TRY(node->open_storage());
    WEIR_TRY(node->open_engine());
    return node;
}

Status Node::open_storage() {
    ledger::SqliteLedgerOptions ledger;
    ledger.path = options_.data + "/ledger.db";
    ledger.instance = options_.instance;
    WEIR_ASSIGN(opened, ledger::open_sqlite_ledger(ledger));
    ledger_ = std::move(opened);
    if (ledger_->moved())
        return conflict(
            "the ledger in " + options_.data +
            " was copied or moved here; say what it is first: `weir ledger claim --moved --data " +
            options_.data + "` if the old place is gone, `--new` if both go on");
    WEIR_ASSIGN(bus, events::open_embedded_bus(options_.data + "/events.db", clock_));
    bus_ = std::move(bus);
    flows::local::LocalSettings local;
    local.folder = options_.data + "/local";
    local.environments = environments_folder(options_.data);
    local.progress = [](std::string line) { log::info("local backend", {{"progress", line}}); };
    WEIR_ASSIGN(backend, flows::local::LocalBackend::open(std::move(local), supervisor_, clock_));
    local_ = std::move(backend);
    flows::null::NullSettings null;
    null.folder = options_.data + "/null";
    null.inline_callbacks = false;
    WEIR_ASSIGN(null_backend, flows::null::NullLauncher::open(std::move(null), clock_));
    null_ = std::move(null_backend);
    return {};
}

Status Node::open_engine() {
    engine::ShellPorts ports{clock_, *ledger_, {bus_.get()}, {}, {}, {}, {}};
    ports.backends["local"] = {local_.get(), local_.get()};
    ports.backends["null"] = {null_.get(), null_.get()};
    ports.post = [this](std::function<void()> task) { loop_.post(std::move(task)); };
    ports.commit_on = [this](std::function<void()> task) {
        expects(commits_->try_post(std::move(task)), "more than one commit is under way");
    };
    ports.mint_uid = mint_uid;
    shell_ = std::make_unique<engine::Shell>(std::move(ports), engine::ShellConfig{});
    const auto report = [this](flows::RunReport reported) {
        loop_.post([this, settled = std::move(reported)]() mutable { shell_->report(std::move(settled)); });
    };
    local_->on_report(report);
    null_->on_report(report);
    WEIR_TRY(shell_->open());
    bus_->on_append([this] { loop_.wake(); });
    const char* path = std::getenv("PATH");
    service_ = std::make_unique<engine::EngineService>(
        engine::ServicePorts{loop_, *shell_, *bus_, ledger_->reader(), [this] { return readiness(); },
                             path == nullptr ? "" : path});
    server::ApiConfig config;
    config.version = WEIR_VERSION;
    config.allowed_hosts = options_.allowed_hosts;
    api_ = std::make_unique<server::Api>(
        server::ApiPorts{*service_, ledger_->reader(), local_.get(), authorizer_, clock_}, config);
    return {};
}

Status Node::start() {
    WEIR_ASSIGN(http, server::HttpServer::start(options_.address, options_.port, api_->handler()));
    http_ = std::move(http);
    api_->bound_to(http_->port());
    WEIR_TRY(apply_documents());
    return start_sources();
}

Status Node::apply_documents() {
    if (options_.apply.empty()) return {};
    WEIR_ASSIGN(request, read_documents_to_apply(options_.apply));
    request.actor = {"local:dev", "given on the command line of weir dev"};
    // The engine runs on this thread; the call waits on another one.
    std::optional<Result<engine::ApplyReport>> applied;
    std::atomic<bool> answered = false;
    std::thread caller([&] {
        applied.emplace(service_->apply(request));
        answered = true;
        loop_.wake();
    });
    while (!answered) {
        if (shell_->fatal()) service_->close();
        if (!shell_->turn()) loop_.run_until(clock_.steady_now() + std::chrono::milliseconds(20));
    }
    caller.join();
    if (!applied->ok()) return applied->error();
    const auto& report = applied->value();
    if (report.problems.empty()) return {};
    std::string all;
    for (const auto& problem : report.problems)
        all += (all.empty() ? "" : "\n") + problem;
    return invalid("the documents were not applied:\n" + all);
}

Status Node::start_sources() {
    for (const auto& folder : options_.folders) {
        events::FolderOptions settings;
        settings.name = folder.name;
        settings.folder = folder.directory;
        settings.existing = folder.publish_existing ? events::Existing::Publish : events::Existing::Ignore;
        settings.state_path = options_.data + "/folder-" + folder.name + ".db";
        WEIR_ASSIGN(source, events::make_folder_source(std::move(settings), clock_));
        WEIR_TRY(source->start([this](std::span<const events::Event> events) -> Status {
            const auto published = bus_->publish("", events);
            if (!published.ok()) return published.error();
            return {};
        }));
        sources_.push_back(std::move(source));
    }
    return {};
}

Status Node::run() {
    for (;;) {
        const bool progressed = shell_->turn();
        if (shell_->fatal() && !giving_up_) {
            giving_up_ = true;
            service_->close();
            Signals::request();
        }
        auto wait = progressed ? Duration::zero() : shell_->wake_in().value_or(std::chrono::seconds(1));
        wait = std::min<Duration>(wait, std::chrono::seconds(1));
        if (!progressed) keep_house();
        if (!loop_.run_until(clock_.steady_now() + wait)) break;
    }
    if (shell_->fatal()) return *shell_->fatal();
    return {};
}

void Node::keep_house() {
    const auto now = clock_.steady_now();
    if (now >= next_checkpoint_) {
        next_checkpoint_ = now + checkpoint_every;
        if (const auto commits = shell_->counters().commits; commits != commits_at_checkpoint_) {
            commits_at_checkpoint_ = commits;
            (void)ledger_->checkpoint();
        }
    }
    if (now >= next_retention_ && shell_->idle()) {
        next_retention_ = now + retention_every;
        if (const auto kept = ledger_->retain(clock_.now() - payload_retention); !kept.ok())
            log::warn("old payloads were not dropped", {{"error", kept.error().message}});
    }
}

void Node::stop() {
    for (auto& source : sources_)
        source->stop();
    if (http_) http_->stop();
    service_->close();
    loop_.stop();
}

std::string Node::url() const {
    return "http://" + options_.address + ":" + std::to_string(http_->port());
}

std::vector<engine::ReadyItem> Node::readiness() const {
    std::vector<engine::ReadyItem> items;
    for (const auto& source : sources_) {
        const auto state = source->state();
        items.push_back({"source " + state.name, state.healthy, state.detail});
    }
    const bool alive = supervisor_.alive();
    items.push_back({"backend local", alive, alive ? "" : "its supervisor is gone: restart weir"});
    return items;
}

Node::~Node() {
    for (auto& source : sources_)
        source->stop();
    if (http_) http_->stop();
    if (service_) service_->close();
    loop_.stop();
    // Commits end first: their results are posted to nobody, and what they wrote stands.
    commits_.reset();
    if (local_) local_->close();
    if (null_) null_->close();
    if (bus_) {
        bus_->on_append({});
        bus_->close();
    }
    shell_.reset();
    if (ledger_) ledger_->close();
}

} // namespace weir::app
