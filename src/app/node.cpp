#include "node.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <thread>

#include <weir/base/digest.hpp>
#include <weir/base/log.hpp>
#include <weir/events/folder_source.hpp>

#include "documents.hpp"
#include "facade_mount.hpp"
#include "signals.hpp"

namespace weir::app {
namespace {

constexpr auto checkpoint_every = std::chrono::seconds(5);
constexpr auto retention_every = std::chrono::hours(1);
constexpr auto tokens_every = std::chrono::seconds(1);

std::string environments_folder(const std::string& data) {
    // Python environments are costly and the same for every data folder of a person.
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
        return std::string(cache) + "/weir/environments";
    if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
        return std::string(home) + "/.cache/weir/environments";
    return data + "/environments";
}

/// An address of IPv6 stands in brackets.
std::string in_url(const std::string& address) {
    return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

TriggerUid mint_uid() {
    Digest digest{};
    const auto random = random_bytes(digest.size());
    std::copy(random.begin(), random.end(), digest.begin());
    return {Uuid::time_led(SystemClock().now(), digest)};
}

} // namespace

namespace {

NodeOptions completed(NodeOptions options) {
    auto& backends = options.config.backends;
    backends.uploaded = options.config.facade.value_or(options.facade) && backends.local &&
                        backends.kubeflow.count("kubeflow") == 0;
    return options;
}

} // namespace

Node::Node(const NodeOptions& options, flows::local::Supervisor& supervisor)
    : options_(completed(options)),
      running_(std::make_shared<const config::Config>(options_.config)),
      supervisor_(supervisor),
      commits_(std::make_unique<Pool>(1, 16)) {}

Result<std::unique_ptr<Node>> Node::open(const NodeOptions& options, flows::local::Supervisor& supervisor) {
    std::unique_ptr<Node> node(new Node(options, supervisor));
    WEIR_TRY(node->open_storage());
    WEIR_TRY(node->open_backends());
    WEIR_TRY(node->open_pipelines());
    WEIR_TRY(node->open_engine());
    WEIR_TRY(node->open_facade());
    return node;
}

Status Node::open_storage() {
    const auto& config = options_.config;
    ledger::SqliteLedgerOptions ledger;
    ledger.path = config.data + "/ledger.db";
    ledger.instance = config.instance;
    ledger.take_over = options_.take_over;
    WEIR_ASSIGN(opened, ledger::open_sqlite_ledger(ledger));
    ledger_ = std::move(opened);
    if (ledger_->moved())
        return conflict(
            "the ledger in " + config.data +
            " was copied or moved here; say what it is first: `weir ledger claim --moved --data " +
            config.data + "` if the old place is gone, `--new` if both go on");
    if (config.auth.required) {
        // Looked at before it is read: what changes meanwhile is seen as a change.
        tokens_file_.with([&](FileWatch& watch) {
            watch = FileWatch(config.auth.tokens);
            (void)watch.changed();
        });
        WEIR_ASSIGN(tokens, first_tokens(config, options_.makes_token));
        bearers_.replace(std::move(tokens));
    }
    auto buses = open_buses(config, clock_, options_.take_over);
    if (!buses.ok() && options_.take_over && retryable(buses.error().kind)) {
        // The embedded bus is in the middle of a write of the process that was frozen: it can neither go on
        // nor back.
        WEIR_TRY(ledger_->end_frozen_holder());
        buses = open_buses(config, clock_, true);
    }
    if (!buses.ok()) return buses.error();
    buses_ = std::move(*buses);
    for (const auto& named : buses_)
        if (named.name == config.publish) publish_ = named.bus.get();
    expects(publish_ != nullptr, "the configuration publishes on a bus that it does not have");
    return {};
}

Status Node::open_backends() {
    const auto& config = options_.config;
    flows::local::LocalSettings local;
    local.folder = config.data + "/local";
    local.environments = environments_folder(config.data);
    local.progress = [](std::string line) { log::info("local backend", {{"progress", line}}); };
    if (const auto& given = config.backends.local) {
        if (given->tasks_max) local.tasks_max = static_cast<std::size_t>(*given->tasks_max);
        if (given->runs_max) local.runs_max = static_cast<std::size_t>(*given->runs_max);
        local.kill_grace = given->kill_grace.value_or(local.kill_grace);
        local.retention = given->retention.value_or(local.retention);
        if (!given->python.empty()) local.python = given->python;
        WEIR_ASSIGN(backend, flows::local::LocalBackend::open(std::move(local), supervisor_, clock_));
        local_ = std::move(backend);
    }
    WEIR_ASSIGN(kubeflow, open_kubeflow_backends(config, clock_, ledger_->reader()));
    kubeflow_ = std::move(kubeflow);
    if (!config.backends.null) return {};
    flows::null::NullSettings null;
    null.folder = config.data + "/null";
    null.inline_callbacks = false;
    WEIR_ASSIGN(null_backend, flows::null::NullLauncher::open(std::move(null), clock_));
    null_ = std::move(null_backend);
    return {};
}

engine::ShellConfig Node::shell_config() const {
    const auto& given = options_.config.limits;
    engine::ShellConfig shell;
    const auto set = [](const std::optional<std::int64_t>& from, auto& to) {
        if (from) to = static_cast<std::remove_reference_t<decltype(to)>>(*from);
    };
    set(given.batch, shell.batch_max);
    set(given.places, shell.limits.places);
    set(given.places_per_trigger, shell.limits.places_per_trigger);
    set(given.waiting, shell.limits.waiting_max);
    set(given.failures_per_hour, shell.limits.failures_per_hour);
    set(given.event_bytes, shell.events.bytes_max);
    shell.source_grace = given.source_grace.value_or(shell.source_grace);
    shell.launch_timeout = given.launch_timeout.value_or(shell.launch_timeout);
    shell.limits.report_grace = given.report_grace.value_or(shell.limits.report_grace);
    shell.limits.outputs_grace = given.outputs_grace.value_or(shell.limits.outputs_grace);
    return shell;
}

Status Node::open_engine() {
    engine::ShellPorts ports{clock_, *ledger_, {}, {}, {}, {}, {}};
    ports.find_run = [this](const RunId& run) { return ledger_->reader().run(run); };
    for (const auto& named : buses_)
        ports.buses.push_back(named.bus.get());
    if (publish_->remote()) ports.outside = publish_;
    const auto allowed = [this](const std::string& team, const std::string& backend) {
        return check_backend(team, backend);
    };
    const auto add_backend = [&](const std::string& name, auto& backend) {
        launchers_.push_back(std::make_unique<TeamLauncher>(name, backend, allowed));
        ports.backends[name] = {launchers_.back().get(), &backend};
    };
    if (local_) add_backend("local", *local_);
    if (null_) add_backend("null", *null_);
    if (uploaded_) add_backend("kubeflow", *uploaded_);
    for (const auto& named : kubeflow_)
        add_backend(named.name, *named.backend);
    ports.post = [this](std::function<void()> task) { loop_.post(std::move(task)); };
    ports.commit_on = [this](std::function<void()> task) {
        expects(commits_->try_post(std::move(task)), "more than one commit is under way");
    };
    ports.mint_uid = mint_uid;
    if (publish_->remote()) ports.outside = publish_;
    shell_ = std::make_unique<engine::Shell>(std::move(ports), shell_config());
    const auto report = [this](flows::RunReport reported) {
        loop_.post([this, settled = std::move(reported)]() mutable { shell_->report(std::move(settled)); });
    };
    if (local_) local_->on_report(report);
    if (null_) null_->on_report(report);
    for (const auto& named : kubeflow_) {
        named.backend->on_place([this, name = named.name](const auto& place, Instant until) {
            loop_.post([this, name, place, until] { shell_->watched(name, name_of(place), until); });
        });
        named.backend->on_report(report);
    }
    WEIR_TRY(shell_->open());
    WEIR_TRY(follow_settled(kubeflow_, options_.config, clock_, ledger_->reader()));
    if (shell_->instance() != options_.config.instance)
        log::warn("the ledger keeps the name it was made with",
                  {{"instance", shell_->instance()}, {"configured", options_.config.instance}});
    // Remote ones are read on threads of their own, which wake the loop.
    for (const auto& named : buses_)
        if (!named.bus->remote()) named.bus->on_append([this] { loop_.wake(); });
    const char* path = std::getenv("PATH");
    service_ = std::make_unique<engine::EngineService>(engine::ServicePorts{
        loop_, *shell_, *publish_, ledger_->reader(), [this] { return readiness(); },
        [this] { return metrics(); }, [this](const flows::FlowVersion& flow) { return check_flow(flow); },
        path == nullptr ? "" : path});
    open_api();
    return {};
}

void Node::open_api() {
    const auto& given = options_.config;
    server::ApiConfig config;
    config.version = WEIR_VERSION;
    config.allowed_hosts = given.listen.allowed_hosts;
    // Who comes by the very address is not led there by a page: it could not know a token either.
    if (!given.listen.on_loopback()) config.allowed_hosts.push_back(in_url(given.listen.address));
    config.watch_is_open = given.listen.on_loopback();
    const auto set = [](const std::optional<std::int64_t>& from, std::size_t& to) {
        if (from) to = static_cast<std::size_t>(*from);
    };
    set(given.limits.event_bytes, config.event_bytes_max);
    set(given.limits.batch_bytes, config.batch_bytes_max);
    set(given.limits.batch_events, config.batch_events_max);
    const auto& authorizer =
        given.auth.required ? static_cast<const server::Authorizer&>(bearers_) : everybody_;
    tasks_ = std::make_unique<TasksByBackend>(ledger_->reader());
    if (local_) tasks_->add("local", *local_);
    if (uploaded_) tasks_->add("kubeflow", *local_);
    for (const auto& named : kubeflow_)
        tasks_->add(named.name, *named.backend);
    api_ = std::make_unique<server::Api>(server::ApiPorts{*service_, ledger_->reader(), tasks_.get(),
                                                          authorizer, clock_, [this] { return waiting(); }},
                                         config);
}

Status Node::open_pipelines() {
    const bool by_itself = options_.facade && local_ != nullptr;
    if (!options_.config.facade.value_or(by_itself)) return {};
    WEIR_ASSIGN(store, facade::open_pipeline_store(options_.config.data + "/pipelines.db"));
    pipelines_ = std::move(store);
    if (options_.config.backends.uploaded)
        uploaded_ = std::make_unique<UploadedLauncher>(*pipelines_, *local_);
    return {};
}

Status Node::open_facade() {
    if (!pipelines_) return {};
    const char* path = std::getenv("PATH");
    WEIR_ASSIGN(facade,
                facade::Facade::open({*service_, ledger_->reader(), local_.get(), *pipelines_, clock_},
                                     {WEIR_VERSION, path == nullptr ? "" : path}));
    facade_ = std::move(facade);
    api_->mount(facade_mount(*facade_));
    return {};
}

Status Node::start() {
    const auto& config = options_.config;
    server::HttpLimits limits;
    if (facade_) limits.header_bytes_max += facade::target_bytes_max;
    if (config.limits.requests) limits.handler_threads = static_cast<std::size_t>(*config.limits.requests);
    if (config.limits.connections)
        limits.connections_max = static_cast<std::size_t>(*config.limits.connections);
    const auto exposure = config.auth.required ? server::Exposure::Anywhere : server::Exposure::Loopback;
    WEIR_ASSIGN(http, server::HttpServer::start(config.listen.address, config.listen.port, api_->handler(),
                                                limits, exposure));
    http_ = std::move(http);
    api_->bound_to(http_->port());
    if (local_) local_->serve_at(url());
    WEIR_TRY(apply_documents());
    return start_sources();
}

Status Node::apply_documents() {
    if (options_.config.apply.empty()) return {};
    WEIR_ASSIGN(request, read_documents_to_apply(options_.config.apply));
    request.actor = {options_.makes_token ? "local:dev" : "local:serve", "given at the start of weir"};
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
    for (const auto& folder : options_.config.folders) {
        events::FolderOptions settings;
        settings.name = folder.name;
        settings.folder = folder.directory;
        settings.existing = folder.publish_existing ? events::Existing::Publish : events::Existing::Ignore;
        settings.state_path = options_.config.data + "/folder-" + folder.name + ".db";
        settings.pattern = folder.pattern;
        settings.event_type = folder.type;
        settings.hidden = folder.hidden;
        settings.temporary = folder.temporary;
        settings.settle = folder.settle;
        WEIR_ASSIGN(source, events::make_folder_source(std::move(settings), clock_));
        WEIR_TRY(source->start([this](std::span<const events::Event> events) -> Status {
            auto published = service_->publish(events);
            // What is refused for good is skipped; the end of this process refuses nothing for good.
            if (!published.ok() && published.error().kind == ErrorKind::Cancelled)
                return unavailable(published.error().message);
            return published;
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
        watch_tokens();
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
        if (const auto kept = ledger_->retain(clock_.now() - running().limits.payload_retention); !kept.ok())
            log::warn("old payloads were not dropped", {{"error", kept.error().message}});
    }
}

void Node::watch_tokens() {
    const auto now = clock_.steady_now();
    if (!options_.config.auth.required || now < next_tokens_) return;
    next_tokens_ = now + tokens_every;
    tokens_file_.with([this](FileWatch& watch) {
        if (!watch.changed()) return;
        auto config = running();
        config.auth.tokens = watch.path();
        auto tokens = first_tokens(config, options_.makes_token);
        if (!tokens.ok())
            return log::error("the tokens are wrong; those known before go on",
                              {{"problems", tokens.error().message}});
        log::info("the tokens were read again", {{"tokens", tokens->size()}});
        bearers_.replace(std::move(*tokens));
    });
}

config::Config Node::running() const {
    return *running_.with([](const auto& config) { return config; });
}

Status Node::check_backend(const std::string& team, const std::string& backend) const {
    return running_.with([](const auto& config) { return config; })->check_backend(team, backend);
}

/// What only the server tells is looked at too, as far as it has told.
Status Node::check_flow(const flows::FlowVersion& flow) const {
    const auto config = running_.with([](const auto& shared) { return shared; });
    WEIR_TRY(config->check_flow(flow));
    for (const auto& named : kubeflow_) {
        if (named.name != flow.backend) continue;
        const auto binding = config->binding(flow.team, flow.backend);
        if (binding && binding->namespace_.empty() && named.backend->status().multi_user.value_or(false))
            return Error(ErrorKind::Denied, "the server of the backend " + flow.backend +
                                                " is for many users, and the team " + flow.team +
                                                " has no namespace there; `teams` in the configuration "
                                                "binds it to one");
    }
    return {};
}

void Node::take_live(const config::Config& fresh, std::vector<config::Token> tokens) {
    auto config = running();
    config.log_level = fresh.log_level;
    config.take_teams(fresh);
    config.limits.payload_retention = fresh.limits.payload_retention;
    config.auth.tokens = fresh.auth.tokens;
    for (const auto& name : config::changes_between(config, fresh).live) {
        const auto found = fresh.said.find(name);
        if (found == fresh.said.end())
            config.said.erase(name);
        else
            config.said[name] = found->second;
    }
    if (config.auth.required) {
        bearers_.replace(std::move(tokens));
        tokens_file_.with([&](FileWatch& watch) { watch = FileWatch(config.auth.tokens); });
    }
    log::init(log::level_from(config.log_level));
    auto shared = std::make_shared<const config::Config>(std::move(config));
    running_.with([&](auto& slot) { slot.swap(shared); });
}

void Node::stop() {
    for (auto& source : sources_)
        source->stop();
    if (http_) http_->stop();
    service_->close();
    loop_.stop();
}

std::string Node::url() const {
    return "http://" + in_url(options_.config.listen.address) + ":" + std::to_string(http_->port());
}

std::vector<engine::ReadyItem> Node::readiness() const {
    std::vector<engine::ReadyItem> items;
    for (const auto& source : sources_) {
        const auto state = source->state();
        items.push_back({"source " + state.name, state.healthy, state.detail});
    }
    if (local_) {
        const bool alive = supervisor_.alive();
        items.push_back({"backend local", alive, alive ? "" : "its supervisor is gone: restart weir"});
    }
    for (const auto& named : kubeflow_)
        items.push_back(readiness_of(named.name, named.backend->status()));
    return items;
}

std::vector<engine::MetricValue> Node::metrics() const {
    std::vector<engine::MetricValue> values;
    for (const auto& named : kubeflow_)
        add_metrics(named.name, named.backend->status(), values);
    return values;
}

std::vector<flows::WaitingLaunch> Node::waiting() const {
    std::vector<flows::WaitingLaunch> all = shell_->troubles();
    for (const auto& launcher : launchers_) {
        auto some = launcher->waiting();
        all.insert(all.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
    }
    return all;
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
    for (const auto& named : kubeflow_)
        named.backend->close();
    for (const auto& named : buses_) {
        named.bus->on_append({});
        named.bus->close();
    }
    shell_.reset();
    if (ledger_) ledger_->close();
}

} // namespace weir::app
