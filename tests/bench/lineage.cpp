#include <algorithm>

#include <weir/base/digest.hpp>
#include <weir/engine/lineage.hpp>
#include <weir/events/wire_codec.hpp>
#include <weir/ledger/sqlite_ledger.hpp>

#include "bench.hpp"

namespace weir::bench {
namespace {

constexpr std::int64_t layers = 12;
constexpr std::int64_t flow_count = 2000;
const Instant begin = from_ns(1'790'000'000'000'000'000);

/// A world of flows in layers: each is set off by one to fourteen flows of the layer before, on every tick.
/// One tick makes one run of every flow; a run's decision includes the settlements of that tick's runs before
/// it.
class World {
  public:
    explicit World(std::uint64_t seed) : numbers_(seed) {
        for (std::int64_t flow = 0; flow < flow_count; ++flow) {
            auto& before = upstream_.emplace_back();
            if (layer(flow) == 0) continue;
            const auto first = (layer(flow) - 1) * per_layer();
            for (auto n = fan_in(); n > 0; --n)
                before.push_back(first + numbers_.below(per_layer()));
            std::sort(before.begin(), before.end());
            before.erase(std::unique(before.begin(), before.end()), before.end());
        }
    }

    static std::int64_t per_layer() { return (flow_count + layers - 1) / layers; }
    static std::int64_t layer(std::int64_t flow) { return flow / per_layer(); }
    [[nodiscard]] const std::vector<std::int64_t>& upstream(std::int64_t flow) const {
        return upstream_[static_cast<std::size_t>(flow)];
    }

  private:
    /// Mostly few, seldom many.
    std::int64_t fan_in() { return numbers_.percent(80) ? 1 + numbers_.below(3) : 3 + numbers_.below(12); }

    Numbers numbers_;
    std::vector<std::vector<std::int64_t>> upstream_;
};

/// Writes the rows that the engine would have written for the world, tick by tick.
class Story {
  public:
    Story(ledger::Ledger& ledger, const World& world, std::int64_t runs)
        : ledger_(ledger), world_(world), runs_(runs) {}

    Result<std::vector<ledger::RunNo>> write() {
        WEIR_ASSIGN(epoch, ledger_.take_epoch());
        epoch_ = epoch;
        WEIR_ASSIGN(bus, ledger_.register_stream({.name = "events", .kind = "bus", .incarnation = "bench"}));
        WEIR_ASSIGN(internal, ledger_.register_stream(
                                  {.name = "internal", .kind = "internal", .incarnation = "bench"}));
        WEIR_ASSIGN(snapshot, ledger_.snapshot());
        bus_ = bus.no;
        internal_ = internal.no;
        seq_ = snapshot.next_seq;
        first_ = seq_;
        WEIR_TRY(register_triggers());
        const auto ticks = (runs_ + flow_count - 1) / flow_count;
        for (std::int64_t tick = 0; tick < ticks; ++tick) {
            settled_.assign(flow_count, Seq{});
            for (std::int64_t layer = 0; layer < layers; ++layer)
                WEIR_TRY(run_layer(layer, tick));
            if (tick % 50 == 49) progress(std::to_string(made_.size()) + " runs written");
        }
        WEIR_TRY(commit());
        return std::move(made_);
    }

    [[nodiscard]] std::int64_t edges() const { return edges_; }

  private:
    Status register_triggers() {
        ledger::InputRow change;
        change.seq = next();
        change.kind = ledger::InputKind::Change;
        change.time = now();
        change.body = "{}";
        batch_.inputs.push_back(change);
        for (std::int64_t flow = 0; flow < flow_count; ++flow) {
            ledger::TriggerVersionRow row;
            row.no = ledger::TriggerNo(flow + 1);
            row.uid = TriggerUid{Uuid::time_led(begin, sha256("trigger" + std::to_string(flow)))};
            row.team = "bench";
            row.name = "t" + std::to_string(flow);
            row.document_json = "{}";
            row.from = change.seq;
            batch_.trigger_versions.push_back(std::move(row));
        }
        return commit();
    }

    Seq next() { return Seq(seq_.value++); }
    /// One millisecond an input.
    [[nodiscard]] Instant now() const { return begin + std::chrono::milliseconds(seq_.value - first_.value); }

    ledger::InputRow event(ledger::InputKind kind, std::string type, std::string source, std::string id) {
        ledger::InputRow row;
        row.time = now();
        row.seq = next();
        row.kind = kind;
        row.stream = kind == ledger::InputKind::Arrival ? bus_ : internal_;
        row.position = kind == ledger::InputKind::Arrival ? Position(++position_)
                                                          : Position(row.seq.value & 0xffffffffffff);
        row.type = type;
        row.source = source;
        row.id = id;
        events::Event wire;
        wire.type = std::move(type);
        wire.source = std::move(source);
        wire.id = std::move(id);
        row.body = events::encode_wire(wire);
        return row;
    }

    /// Decisions come in the order of the inputs that complete them.
    Status run_layer(std::int64_t layer, std::int64_t tick) {
        std::vector<std::pair<Seq, std::int64_t>> order;
        for (auto flow = layer * World::per_layer();
             flow < std::min(flow_count, (layer + 1) * World::per_layer()); ++flow) {
            Seq completing;
            for (const auto before : world_.upstream(flow))
                completing = std::max(completing, settled_[static_cast<std::size_t>(before)]);
            order.emplace_back(completing, flow);
        }
        std::sort(order.begin(), order.end());
        const auto begun = batch_.runs.size();
        for (const auto& [seq, flow] : order) {
            if (static_cast<std::int64_t>(made_.size()) < runs_) run(flow, tick);
        }
        // The ends come after all beginnings, so that the next layer's decisions are of later inputs.
        for (auto i = begun; i < batch_.runs.size(); ++i)
            add_settlement(batch_.runs[i]);
        return batch_.inputs.size() >= 4000 ? commit() : Status();
    }

    void run(std::int64_t flow, std::int64_t tick) {
        const auto name = "f" + std::to_string(flow);
        std::vector<ledger::EventRef> used;
        Seq completing;
        if (World::layer(flow) == 0) {
            auto row =
                event(ledger::InputKind::Arrival, "data.ready", "/bench/" + name, std::to_string(tick));
            completing = row.seq;
            used.push_back({row.seq, row.source, row.id, "event"});
            batch_.positions = {{bus_, row.position, row.time, {}, {}}};
            batch_.inputs.push_back(std::move(row));
        } else {
            int n = 0;
            for (const auto before : world_.upstream(flow)) {
                const auto seq = settled_[static_cast<std::size_t>(before)];
                used.push_back(
                    {seq, "/weir/bench/bench/f" + std::to_string(before), "", "leaf" + std::to_string(n++)});
                completing = std::max(completing, seq);
            }
        }
        edges_ += static_cast<std::int64_t>(used.size());
        const auto no = static_cast<std::int64_t>(made_.size()) + 1;
        const auto hash = sha256(name + "/" + std::to_string(tick));
        add_decision(no, flow, completing, used, hash);
        add_run(no, flow, completing, std::move(used), hash);
        made_.push_back(ledger::RunNo(no));
    }

    void add_decision(std::int64_t no, std::int64_t flow, Seq completing,
                      const std::vector<ledger::EventRef>& used, const Digest& hash) {
        ledger::DecisionRow row;
        row.no = ledger::DecisionNo(no);
        row.id = DecisionId{Uuid::time_led(now(), hash)};
        row.seq = completing;
        row.trigger = ledger::TriggerNo(flow + 1);
        row.version = 1;
        row.reason = used.size() == 1 ? "match" : "joined";
        row.leaf = used.front().role;
        row.team = "bench";
        row.time = now();
        if (used.size() > 1) {
            for (const auto& ref : used)
                row.included.push_back({ref.seq, ref.role});
        }
        batch_.decisions.push_back(std::move(row));
    }

    void add_run(std::int64_t no, std::int64_t flow, Seq completing, std::vector<ledger::EventRef> used,
                 const Digest& hash) {
        ledger::RunRow row;
        row.no = ledger::RunNo(no);
        row.id = RunId{Uuid::time_led(now(), sha256(to_hex(hash)))};
        row.decision = ledger::DecisionNo(no);
        row.decision_id = batch_.decisions.back().id;
        row.trigger = ledger::TriggerNo(flow + 1);
        row.trigger_name = "t" + std::to_string(flow);
        row.trigger_version = 1;
        row.team = row.flow_team = "bench";
        row.flow = "f" + std::to_string(flow);
        row.backend = "null";
        row.depth = static_cast<int>(World::layer(flow)) + 1;
        row.arguments_json = "{}";
        row.events = std::move(used);
        row.created = now();
        row.created_seq = completing;
        row.state = ledger::RunState::Settled;
        row.attempt = 1;
        row.outcome = flows::Outcome::Succeeded;
        row.started_at = row.finished_at = now();
        batch_.runs.push_back(std::move(row));
    }

    void add_settlement(const ledger::RunRow& run) {
        auto row = event(ledger::InputKind::Settlement, "weir.run.finished", "/weir/bench/bench/" + run.flow,
                         run.id.to_string() + "/1");
        row.subject = run.id.to_string();
        row.team = "bench";
        settled_[static_cast<std::size_t>(run.trigger.value - 1)] = row.seq;
        ledger::AttemptRow attempt;
        attempt.run = run.no;
        attempt.opened = row.seq;
        batch_.attempts_opened.push_back(attempt);
        attempt.settled = row.seq;
        attempt.outcome = flows::Outcome::Succeeded;
        attempt.started_at = attempt.finished_at = row.time;
        batch_.attempts_settled.push_back(attempt);
        ledger::RunUpdateRow update;
        update.no = run.no;
        update.seq = row.seq;
        update.state = ledger::RunState::Settled;
        update.attempt = 1;
        update.outcome = flows::Outcome::Succeeded;
        update.started_at = update.finished_at = row.time;
        batch_.run_updates.push_back(std::move(update));
        batch_.inputs.push_back(std::move(row));
    }

    Status commit() {
        if (batch_.inputs.empty()) return {};
        batch_.next_seq = seq_;
        batch_.log_time = now();
        auto done = ledger_.commit(batch_, epoch_);
        batch_ = {};
        return done;
    }

    ledger::Ledger& ledger_;
    const World& world_;
    std::int64_t runs_;
    ledger::Epoch epoch_;
    ledger::StreamNo bus_, internal_;
    Seq seq_, first_;
    std::int64_t position_ = 0;
    std::int64_t edges_ = 0;
    ledger::Batch batch_;
    std::vector<Seq> settled_;
    std::vector<ledger::RunNo> made_;
};

Result<Report> measure(ledger::LedgerReader& reader, const std::vector<ledger::RunNo>& starts, bool up) {
    std::vector<double> trace, cpu, tree, json;
    double nodes = 0, most = 0;
    std::int64_t truncated = 0;
    for (const auto no : starts) {
        WEIR_ASSIGN(run, reader.run(no));
        engine::LineageQuery query;
        query.start = run.id.to_string();
        query.up = up;
        query.depth = 10;
        const Stopwatch tracing;
        const CpuWatch working;
        WEIR_ASSIGN(lineage, engine::trace_lineage(reader, query));
        cpu.push_back(working.seconds() * 1e3);
        trace.push_back(tracing.seconds() * 1e3);
        const Stopwatch drawing;
        const auto text = engine::lineage_tree(lineage, up);
        tree.push_back(drawing.seconds() * 1e3);
        const Stopwatch writing;
        const auto line = engine::lineage_json(lineage);
        json.push_back(writing.seconds() * 1e3);
        if (text.empty() || line.empty()) return internal("a lineage with nothing in it");
        nodes += static_cast<double>(lineage.nodes.size());
        most = std::max(most, static_cast<double>(lineage.nodes.size()));
        truncated += lineage.truncated ? 1 : 0;
    }
    Report out;
    out["search"] = spread(std::move(trace), "ms");
    out["search_cpu"] = spread(std::move(cpu), "ms");
    out["where_the_time_goes_ms"] = {{"tree", median(std::move(tree))}, {"json", median(std::move(json))}};
    out["nodes_mean"] = nodes / static_cast<double>(starts.size());
    out["nodes_most"] = most;
    out["truncated"] = truncated;
    return out;
}

} // namespace

Result<Report> run_lineage(const Options& options) {
    WEIR_ASSIGN(folder, WorkFolder::make(options));
    ledger::SqliteLedgerOptions at;
    at.path = folder.path() + "/ledger.db";
    WEIR_ASSIGN(opened, ledger::open_sqlite_ledger(at));
    progress("writing " + std::to_string(options.runs) + " runs to " + at.path);
    const World world(options.seed);
    Story story(*opened, world, options.runs);
    const Stopwatch loading;
    WEIR_ASSIGN(runs, story.write());
    const auto load_seconds = loading.seconds();
    WEIR_TRY(opened->checkpoint());

    // Up from the last layers, down from the first: where depth 10 is to be had.
    std::vector<ledger::RunNo> last, first;
    Numbers numbers(options.seed + 1);
    const auto ticks = std::max<std::int64_t>(1, static_cast<std::int64_t>(runs.size()) / flow_count);
    for (int i = 0; i < 101; ++i) {
        const auto tick = numbers.below(ticks) * flow_count;
        const auto low = tick + numbers.below(World::per_layer());
        const auto high = tick + (layers - 1) * World::per_layer() +
                          numbers.below(flow_count - (layers - 1) * World::per_layer());
        first.push_back(runs[static_cast<std::size_t>(
            std::min<std::int64_t>(low, static_cast<std::int64_t>(runs.size()) - 1))]);
        last.push_back(runs[static_cast<std::size_t>(
            std::min<std::int64_t>(high, static_cast<std::int64_t>(runs.size()) - 1))]);
    }
    Report out;
    out["what"] = "depth 10 among all runs, from 101 random runs of the last (up) and the first layer (down)";
    out["keeping_policy"] =
        "SQLite, WAL, synchronous=FULL; inputs, decisions, included events, runs, attempts";
    out["goal"] = "design 8: under 10 ms";
    out["runs"] = runs.size();
    out["edges_event_to_decision"] = story.edges();
    out["load_seconds"] = load_seconds;
    WEIR_ASSIGN(up, measure(opened->reader(), last, true));
    out["up"] = std::move(up);
    WEIR_ASSIGN(down, measure(opened->reader(), first, false));
    out["down"] = std::move(down);
    opened->close();
    return out;
}

} // namespace weir::bench
