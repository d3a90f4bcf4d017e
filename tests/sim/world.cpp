#include "world.hpp"

#include <algorithm>

#include <weir/base/crash_point.hpp>
#include <weir/base/log.hpp>
#include <weir/triggers/compiled.hpp>

namespace weir::sim {
namespace {

std::vector<engine::TriggerApply> compile_all(const std::vector<std::string>& documents) {
    std::vector<engine::TriggerApply> applies;
    for (const auto& text : documents) {
        Problems problems;
        for (const auto& trigger : triggers::read_triggers(text, "plan", problems)) {
            auto compiled = triggers::compile(trigger, problems);
            if (!compiled) continue;
            // Chance in production; here a function of the document, so that two simulations agree.
            const auto uid = Uuid::time_led(from_ns(0), sha256("uid" + trigger.canonical_json));
            applies.push_back({std::move(compiled), TriggerUid{uid}, text});
        }
        for (const auto& problem : problems)
            broken_invariant("a plan's trigger: " + problem.to_string() + text, {});
    }
    return applies;
}

} // namespace

World* World::crashing_ = nullptr;

World::World(const Plan& plan, Weather weather, std::unique_ptr<Storage> storage)
    : plan_(plan),
      weather_(std::move(weather)),
      clock_(plan.start),
      chance_(weather_.seed),
      launcher_(clock_, weather_.seed + 1, weather_.launcher),
      storage_(std::move(storage)) {
    log::init(log::Level::Off);
    launcher_.on_create = [this](const flows::LaunchRequest& request) {
        const auto row = storage_->reader().run(request.run);
        if (!row.ok() || row->state != ledger::RunState::Sent)
            report_.failures.push_back("run " + request.run.to_string() +
                                       " was requested before the ledger said `sent`");
    };
}

World::~World() {
    weir::crash_hook = nullptr;
    shell_.reset();
    storage_->close();
}

void World::crash_hook(const char* name) {
    auto& world = *crashing_;
    // Weir dies here, never the publisher, who keeps the bus locked while an exception would pass through it.
    if (std::string_view(name).starts_with("bus_")) return;
    if (world.foul_ && world.chance_.happens(world.weather_.crash)) throw Crash{};
}

void World::boot() {
    const auto opened = storage_->open(clock_);
    expects(opened.ok(), opened.ok() ? "" : opened.error().message);
    start_shell();
}

void World::start_shell() {
    posts_.clear();
    engine::ShellConfig config;
    config.batch_max = weather_.batch_max;
    config.limits.places_per_trigger = 3;
    config.never_seen_after = std::chrono::minutes(30);
    shell_.reset();
    ledger_ = std::make_unique<FaultyLedger>(storage_->ledger());
    engine::ShellPorts ports{clock_, *ledger_, storage_->buses(), {}, {}, {}, {}};
    ports.backends["sim"] = {&launcher_, &launcher_};
    ports.post = [this](std::function<void()> task) { posts_.push_back(std::move(task)); };
    ports.commit_on = [this](const std::function<void()>& task) {
        if (foul_ && chance_.happens(weather_.write_failure)) {
            ledger_->fail_next();
            ++report_.write_failures;
        }
        task();
    };
    ports.mint_uid = [] { return TriggerUid{}; };
    ports.find_run = [this](const RunId& run) { return storage_->reader().run(run); };
    launcher_.on_own_report = [this](const SimLauncher::Attempt& of) {
        if (!shell_) return;
        const auto known = storage_->reader().run(of.first);
        const auto number = number_of(of.first.to_string()) + static_cast<std::uint64_t>(of.second);
        engine::ReportInput report;
        report.run = of.first;
        report.attempt = number % 3 == 0 ? 0 : of.second; // not every flow knows which one it is
        report.outputs_json = "{\"own\":" + std::to_string(number % 100) + "}";
        report.settled = known.ok() && known->state == ledger::RunState::Settled;
        if (report.settled) report.next_attempt = engine::next_attempt_of(*known);
        // Taken for good once it is durable; until then it is sent again.
        shell_->submit(std::move(report), [this, of](const engine::Shell::Outcome& outcome) {
            if (!outcome.error) launcher_.own_report_taken(of);
        });
    };
    launcher_.on_report([this](flows::RunReport report) {
        posts_.push_back([this, report = std::move(report)] { shell_->report(report); });
    });
    shell_ = std::make_unique<engine::Shell>(std::move(ports), config);
    const auto started = shell_->open();
    expects(started.ok(), started.ok() ? "" : started.error().message);
    for (const auto& stream : shell_->streams())
        if (!stream.stopped.empty())
            report_.failures.push_back("a gap in stream " + stream.name + ": " + stream.stopped);
}

void World::die() {
    ++report_.crashes;
    launcher_.weir_died();
    posts_.clear();
    shell_.reset();
    storage_->close();
    if (!chance_.happens(weather_.power_loss)) return;
    ++report_.power_losses;
    storage_->power_loss(chance_.next());
}

/// Weir died and starts again. False: it died of that as well.
bool World::rise() {
    die();
    try {
        boot();
    } catch (const Crash&) {
        return false;
    }
    return true;
}

void World::pump() {
    while (!posts_.empty()) {
        auto task = std::move(posts_.front());
        posts_.pop_front();
        task();
    }
}

void World::publish(const Publication& publication) {
    auto& bus = *storage_->buses().at(publication.bus);
    const auto positions = bus.publish("", std::span(&publication.event, 1));
    expects(positions.ok(), positions.ok() ? "" : positions.error().message);
}

void World::apply(const std::vector<std::string>& documents, bool with_flows) {
    engine::ApplyInput input;
    input.principal = "sim";
    input.reason = "plan";
    if (with_flows)
        for (const auto& flow : plan_.flows)
            input.flows.push_back(std::make_shared<const flows::FlowVersion>(flow));
    input.triggers = compile_all(documents);
    shell_->submit(std::move(input), {});
}

void World::act(const Edit& edit) {
    using Kind = Edit::Kind;
    switch (edit.kind) {
        case Kind::Apply: return apply(edit.documents, false);
        case Kind::Delete:
            return shell_->submit(engine::DeleteTriggerInput{"t", edit.trigger, "sim", "plan"}, {});
        case Kind::Pause: return shell_->submit(engine::PauseInput{"t", edit.trigger, "sim", "plan"}, {});
        case Kind::ResumeReplay:
            return shell_->submit(engine::ResumeInput{"t", edit.trigger, true, "sim", "plan"}, {});
        case Kind::ResumeDrop:
            return shell_->submit(engine::ResumeInput{"t", edit.trigger, false, "sim", "plan"}, {});
        case Kind::Run:
            if (storage_->reader().run(shell_->core().manual_run_id(edit.request_id)).ok()) return;
            return shell_->submit(
                engine::RunFlowInput{"t", "f1", "{\"x\":1}", edit.request_id, "sim", "plan"}, {});
        case Kind::CancelNewest: {
            const auto& runs = shell_->core().runs();
            if (!runs.empty()) shell_->submit(engine::CancelInput{runs.rbegin()->first, "sim", "plan"}, {});
            return;
        }
        case Kind::RetryNewest: {
            ledger::Query newest;
            newest.limit = 1000;
            const auto page = storage_->reader().runs(newest);
            expects(page.ok(), page.ok() ? "" : page.error().message);
            for (const auto& run : page->rows) {
                if (run.outcome != flows::Outcome::Failed || launcher_.records().count(run.id) == 0) continue;
                return shell_->submit(engine::RetryInput{run, "sim", "plan"}, {});
            }
            return;
        }
    }
}

bool World::stopped_now() const {
    return std::any_of(weather_.outages.begin(), weather_.outages.end(), [&](const Outage& outage) {
        return outage.from <= clock_.peek() && clock_.peek() < outage.to;
    });
}

std::optional<Instant> World::next_instant() {
    std::optional<Instant> next;
    const auto sooner = [&](Instant t) {
        if (t > clock_.peek() && (!next || t < *next)) next = t;
    };
    if (next_publication_ < plan_.publications.size()) sooner(plan_.publications[next_publication_].at);
    if (next_edit_ < plan_.edits.size()) sooner(plan_.edits[next_edit_].at);
    if (const auto due = launcher_.work()) sooner(*due);
    if (shell_)
        if (const auto wait = shell_->wake_in()) sooner(clock_.peek() + std::max(*wait, Duration(1)));
    for (const auto& outage : weather_.outages) {
        sooner(outage.from);
        sooner(outage.to);
    }
    if (foul_) sooner(plan_.end);
    return next;
}

void World::work_until_quiet() {
    for (int i = 0; i < 100'000; ++i) {
        pump();
        (void)launcher_.work();
        pump();
        const bool more = shell_->turn();
        if (shell_->fatal()) {
            report_.failures.push_back("the engine gave up: " + shell_->fatal()->message);
            return;
        }
        if (!more && posts_.empty()) return;
    }
    report_.failures.push_back("the engine never comes to rest");
}

void World::live() {
    while (next_edit_ < plan_.edits.size() && plan_.edits[next_edit_].at <= clock_.peek()) {
        const auto& edit = plan_.edits[next_edit_++];
        if (shell_) act(edit);
    }
    while (next_publication_ < plan_.publications.size() &&
           plan_.publications[next_publication_].at <= clock_.peek())
        publish(plan_.publications[next_publication_++]);
    if (stopped_now() && shell_) {
        launcher_.weir_died();
        shell_.reset();
    } else if (!stopped_now() && !shell_) {
        start_shell();
    }
    // A slow weir: it does not get round to anything at this instant.
    if (shell_ && !chance_.happens(weather_.delay)) work_until_quiet();
}

void World::close_down() {
    foul_ = false;
    if (!shell_) start_shell();
    work_until_quiet();
    for (const auto& name : shell_->core().trigger_names())
        shell_->submit(engine::DeleteTriggerInput{name.team, name.name, "sim", "closing down"}, {});
    for (int i = 0; i < 30'000; ++i) {
        work_until_quiet();
        if (!report_.failures.empty() || (shell_->idle() && shell_->core().runs().empty())) return;
        clock_.advance_to(next_instant().value_or(clock_.peek() + std::chrono::seconds(1)));
    }
    for (const auto& [no, run] : shell_->core().runs())
        report_.failures.push_back("run " + run.id.to_string() +
                                   " never ends: " + std::string(to_string(run.state)));
}

Report World::run() {
    crashing_ = this;
    weir::crash_hook = crash_hook;
    boot();
    bool applied = false;
    while (report_.failures.empty()) {
        try {
            if (!applied) {
                // Asked until it is done, as a person would.
                foul_ = false;
                apply(plan_.triggers, true);
                work_until_quiet();
                foul_ = applied = true;
            }
            live();
            if (clock_.peek() >= plan_.end) break;
            clock_.advance_to(next_instant().value_or(plan_.end));
        } catch (const Crash&) {
            while (!rise()) {
            }
        }
    }
    if (report_.failures.empty()) close_down();
    weir::crash_hook = nullptr;
    return report_;
}

const std::vector<events::Arrival>& World::arrivals() {
    arrivals_.clear();
    Position after;
    for (;;) {
        auto read = storage_->bus().read("events", after, 1000, 1 << 24);
        expects(read.ok(), "the bus cannot be read at the end");
        if (read->arrivals.empty()) return arrivals_;
        after = read->upto;
        for (auto& arrival : read->arrivals)
            arrivals_.push_back(std::move(arrival));
    }
}

} // namespace weir::sim
