#include "rig.hpp"

#include <filesystem>

#include <weir/base/digest.hpp>
#include <weir/events/embedded_bus.hpp>
#include <weir/flows/document.hpp>

namespace weir::bench {
namespace {

TriggerUid new_uid(const Clock& clock) {
    return TriggerUid{Uuid::time_led(clock.now(), sha256(random_bytes(32)))};
}

} // namespace

Result<std::unique_ptr<Rig>> Rig::open(const std::string& folder, const std::string& flow_settings,
                                       const std::vector<std::string>& triggers) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return unavailable("cannot make " + folder + ": " + error.message());
    std::unique_ptr<Rig> rig(new Rig());
    WEIR_ASSIGN(bus, events::open_embedded_bus(folder + "/bus.db", rig->clock_));
    rig->bus_ = std::move(bus);
    ledger::SqliteLedgerOptions options;
    options.path = folder + "/ledger.db";
    WEIR_ASSIGN(ledger, ledger::open_sqlite_ledger(options));
    rig->ledger_ = std::move(ledger);
    WEIR_ASSIGN(null, flows::null::NullLauncher::open({}, rig->clock_));
    rig->null_ = std::move(null);
    rig->bus = std::make_unique<TimedBus>(*rig->bus_);
    rig->ledger = std::make_unique<TimedLedger>(*rig->ledger_);
    rig->launcher = std::make_unique<TimedLauncher>(*rig->null_);
    engine::ShellPorts ports{rig->clock_, *rig->ledger, {rig->bus.get()}, {}, {}, {}, {}};
    ports.backends["null"] = {rig->launcher.get(), rig->null_.get()};
    ports.post = [at = rig.get()](std::function<void()> task) { at->tasks_.push_back(std::move(task)); };
    ports.commit_on = [](std::function<void()> task) { task(); };
    ports.mint_uid = [at = rig.get()] { return new_uid(at->clock_); };
    rig->shell_ = std::make_unique<engine::Shell>(std::move(ports), engine::ShellConfig{});
    rig->null_->on_report([at = rig.get()](flows::RunReport report) {
        at->tasks_.push_back(
            [at, report = std::move(report)]() mutable { at->shell_->report(std::move(report)); });
    });
    WEIR_TRY(rig->shell_->open());
    WEIR_TRY(rig->apply(flow_settings, triggers));
    return rig;
}

Rig::~Rig() {
    shell_.reset();
    if (null_) null_->close();
    if (bus_) bus_->close();
    if (ledger_) ledger_->close();
}

Status Rig::apply(const std::string& flow_settings, const std::vector<std::string>& triggers) {
    Problems problems;
    const auto none = [](const std::string& path) { return Result<std::string>(not_found(path)); };
    const auto flows = flows::read_flows("flow: sink\nteam: bench\nbackend: 'null'\n" + flow_settings,
                                         "sink.yaml", none, problems);
    engine::ApplyInput input;
    for (const auto& flow : flows)
        input.flows.push_back(std::make_shared<const flows::FlowVersion>(flow));
    for (const auto& text : triggers) {
        for (auto& document : triggers::read_triggers(text, "bench.yaml", problems))
            input.triggers.push_back({triggers::compile(document, problems), new_uid(clock_), text});
    }
    if (!problems.empty()) return internal("the benchmark's documents: " + problems.front().to_string());
    input.principal = "bench";
    input.reason = "bench";
    std::optional<Error> error;
    shell_->submit(std::move(input), [&error](engine::Shell::Outcome outcome) { error = outcome.error; });
    WEIR_TRY(drain());
    if (error) return *error;
    return {};
}

bool Rig::run_tasks() {
    bool any = false;
    while (!tasks_.empty()) {
        auto task = std::move(tasks_.front());
        tasks_.pop_front();
        task();
        any = true;
    }
    return any;
}

Status Rig::drain() {
    for (;;) {
        const bool turned = shell_->turn();
        const bool ran = run_tasks();
        if (shell_->fatal()) return *shell_->fatal();
        if (!turned && !ran) return {};
    }
}

Status Rig::publish(std::span<const events::Event> events) {
    const auto positions = bus->publish("", events);
    if (!positions.ok()) return positions.error();
    return {};
}

} // namespace weir::bench
