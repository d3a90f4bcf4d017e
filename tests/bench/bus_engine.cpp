#include "bus_engine.hpp"

#include <filesystem>

#include <weir/base/digest.hpp>
#include <weir/flows/document.hpp>

namespace weir::bench {
namespace {

constexpr auto checkpoint_every = std::chrono::seconds(5); ///< as `weir dev` does
const std::vector<std::string> flow_documents{
    "flow: sink\nteam: bench\nbackend: 'null'\nparameters:\n  n: {type: integer}\n",
    "flow: busy\nteam: bench\nbackend: 'null'\nsettle_after: 7d\n",
};

} // namespace

Result<std::unique_ptr<BusEngine>> BusEngine::open(const std::string& folder,
                                                   const std::vector<std::string>& triggers) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return unavailable("cannot make " + folder + ": " + error.message());
    std::unique_ptr<BusEngine> made(new BusEngine());
    ledger::SqliteLedgerOptions options;
    options.path = folder + "/ledger.db";
    WEIR_ASSIGN(ledger, ledger::open_sqlite_ledger(options));
    made->ledger_ = std::move(ledger);
    flows::null::NullSettings settings;
    settings.inline_callbacks = false;
    WEIR_ASSIGN(null, flows::null::NullLauncher::open(std::move(settings), made->clock_));
    made->null_ = std::move(null);
    made->launcher = std::make_unique<HeardLauncher>(*made->null_);
    WEIR_TRY(made->open_shell({}));
    WEIR_TRY(made->apply(triggers));
    made->shell_.reset();
    return made;
}

BusEngine::~BusEngine() {
    if (bus_ != nullptr) bus_->on_append({});
    loop_.stop();
    commits_.reset();
    if (null_) null_->close();
    shell_.reset();
    if (ledger_) ledger_->close();
}

Status BusEngine::open_shell(std::vector<events::Bus*> buses) {
    engine::ShellPorts ports{clock_, *ledger_, std::move(buses), {}, {}, {}, {}};
    ports.backends["null"] = {launcher.get(), null_.get()};
    ports.post = [this](std::function<void()> task) { loop_.post(std::move(task)); };
    ports.commit_on = [this](std::function<void()> task) {
        // Bounded: one commit at a time, and a few registrations of streams.
        (void)commits_->try_post(std::move(task));
    };
    ports.mint_uid = [this] { return TriggerUid{Uuid::time_led(clock_.now(), sha256(random_bytes(32)))}; };
    shell_ = std::make_unique<engine::Shell>(std::move(ports), engine::ShellConfig{});
    null_->on_report([this](flows::RunReport report) {
        loop_.post([this, report = std::move(report)]() mutable { shell_->report(std::move(report)); });
    });
    return shell_->open();
}

Status BusEngine::apply(const std::vector<std::string>& triggers) {
    Problems problems;
    const auto none = [](const std::string& path) { return Result<std::string>(not_found(path)); };
    engine::ApplyInput input;
    for (const auto& text : flow_documents)
        for (const auto& flow : flows::read_flows(text, "flows.yaml", none, problems))
            input.flows.push_back(std::make_shared<const flows::FlowVersion>(flow));
    for (const auto& text : triggers)
        for (auto& document : triggers::read_triggers(text, "bench.yaml", problems))
            input.triggers.push_back({triggers::compile(document, problems), shell_->mint_uid(), text});
    if (!problems.empty()) return internal("the benchmark's documents: " + problems.front().to_string());
    input.principal = input.reason = "bench";
    std::optional<std::optional<Error>> applied;
    shell_->submit(std::move(input),
                   [&applied](engine::Shell::Outcome outcome) { applied = std::move(outcome.error); });
    WEIR_TRY(run([&] { return applied.has_value(); }, std::chrono::seconds(30)));
    if (*applied) return **applied;
    return {};
}

Status BusEngine::start(events::Bus& bus) {
    WEIR_TRY(open_shell({&bus}));
    if (bus.remote()) return {};
    bus_ = &bus;
    bus.on_append([this] { loop_.wake(); });
    return {};
}

Status BusEngine::run(const std::function<bool()>& done, Duration within) {
    const auto until = clock_.steady_now() + within;
    while (!done()) {
        const bool progressed = shell_->turn();
        if (shell_->fatal()) return *shell_->fatal();
        const auto now = clock_.steady_now();
        if (now > until) return unavailable("the engine did not come to its end in time");
        auto wait = progressed ? Duration::zero() : shell_->wake_in().value_or(std::chrono::seconds(1));
        wait = std::min<Duration>(wait, std::chrono::seconds(1));
        if (!progressed) checkpoint();
        if (!loop_.run_until(now + wait)) break;
    }
    return {};
}

void BusEngine::checkpoint() {
    const auto now = clock_.steady_now();
    if (now < next_checkpoint_) return;
    next_checkpoint_ = now + checkpoint_every;
    (void)ledger_->checkpoint();
}

bool BusEngine::drained(std::int64_t arrivals, std::int64_t settled) const {
    const auto& counters = shell_->counters();
    if (counters.arrivals < arrivals || !shell_->idle()) return false;
    std::int64_t ended = 0;
    for (const auto& [outcome, count] : counters.settled)
        ended += count;
    return ended >= settled;
}

} // namespace weir::bench
