// weir's whole reading side on a real broker, beside the bare client in the same run.
#include "bus.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bus_engine.hpp"
#include "bus_side.hpp"

namespace weir::bench {
namespace {

constexpr auto case_within = std::chrono::minutes(15);
constexpr std::size_t publish_max = 1000;

enum class Reader { Bare, Adapter, Engine };

struct Case {
    std::string name;
    std::string what;
    Reader reader = Reader::Engine;
    std::string trigger;
    int decided_percent = 0; ///< of the events; these have a decision each
    bool launches = false;
    std::string goal{};
};

std::string trigger(const std::string& event, const std::string& launch) {
    // The breaker of 1,000 firings a minute is not what is measured.
    return "trigger: t\nteam: bench\nwhen:\n  event: " + event + "\nlaunch:\n" + launch +
           "limits: {firings_per_minute: 1000000}\n";
}

const std::vector<Case>& cases() {
    static const std::string skip = "  flow: busy\n  overlap: skip\n";
    static const std::string sink = "  flow: sink\n  parameters:\n    n: 'int(event.data.n)'\n";
    static const std::vector<Case> all{
        {"bare", "the client library receives and drops", Reader::Bare, {}},
        {"adapter", "Bus::read() alone: events decoded and dropped", Reader::Adapter, {}},
        {"nothing_matches", "a type nobody listens to: counted, positions durable", Reader::Engine,
         trigger("other.type", skip), 0, false, "at least 0.6 of bare; 120,000/s end to end"},
        {"one_percent", "1% are kept and decided (suppressed: one run is unfinished), the rest is counted",
         Reader::Engine, trigger("data.rare", skip), 1},
        {"all_decided", "every event kept and decided (suppressed: one run is unfinished)", Reader::Engine,
         trigger("data.*", skip), 100, false, "50,000/s"},
        {"all_launched", "a run for each event on the null backend, settled", Reader::Engine,
         trigger("data.*", sink), 100, true, "15,000/s"},
    };
    return all;
}

double cpu_of_this_process() {
    rusage use{};
    ::getrusage(RUSAGE_SELF, &use);
    const auto of = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return of(use.ru_utime) + of(use.ru_stime);
}

/// Seconds of processor time of another process; 0 if it is not known.
double cpu_of(int pid) {
    if (pid <= 0) return 0;
    std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(in, text);
    const auto name_end = text.rfind(')');
    if (name_end == std::string::npos) return 0;
    std::istringstream fields(text.substr(name_end + 1));
    std::string skipped;
    for (int i = 3; i < 14; ++i)
        fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double megabytes(const std::string& key) {
    std::ifstream in("/proc/self/status");
    for (std::string line; std::getline(in, line);)
        if (line.rfind(key + ":", 0) == 0) return std::stod(line.substr(key.size() + 1)) / 1024;
    return 0;
}

/// What earlier cases left in the allocator is given back, and the peak begins anew.
void forget_memory() {
    ::malloc_trim(0);
    std::ofstream("/proc/self/clear_refs") << "5";
}

/// Resident memory while `done` of `all` events are through: at the start, at each quarter, at the end.
struct Memory {
    std::vector<double> megabytes_at;
    void look(std::int64_t done, std::int64_t all) {
        while (megabytes_at.size() < 5 && done * 4 >= all * static_cast<std::int64_t>(megabytes_at.size()))
            megabytes_at.push_back(megabytes("VmRSS"));
    }
};

struct Sample {
    double seconds = 0, cpu = 0, server_cpu = 0, peak_mb = 0;
    Memory memory;
    std::int64_t events = 0, recorded = 0, decisions = 0, commits = 0;
};

std::vector<events::Event> make_events(const std::string& type, std::int64_t first, std::size_t count) {
    std::vector<events::Event> out(count);
    for (std::size_t i = 0; i < count; ++i) {
        auto& event = out[i];
        const auto n = first + static_cast<std::int64_t>(i);
        event.id = "e-" + std::to_string(n);
        event.source = "/bench/orders";
        event.type = type.empty() ? (n % 100 == 0 ? "data.rare" : "data.ready") : type;
        event.time = "2026-11-21T06:30:00Z";
        event.datacontenttype = "application/json";
        event.data_kind = events::DataKind::Json;
        event.data =
            "{\"table\":\"orders\",\"date\":\"2026-11-21\",\"n\":" + std::to_string(n) + ",\"note\":\"";
        event.data.append(event.data.size() < 254 ? 254 - event.data.size() : 0, 'x');
        event.data += "\"}";
    }
    return out;
}

class BusBench {
  public:
    BusBench(const Options& options, std::string folder, BusSide& side)
        : options_(options), folder_(std::move(folder)), side_(side) {}

    Status publish(const std::string& stream, std::int64_t count) {
        progress("bus: publishing " + std::to_string(count) + " events");
        WEIR_ASSIGN(bus, side_.open(stream));
        const Stopwatch watch;
        for (std::int64_t at = 0; at < count;) {
            const auto many = std::min<std::int64_t>(static_cast<std::int64_t>(publish_max), count - at);
            WEIR_ASSIGN(positions, bus->publish("", make_events({}, at, static_cast<std::size_t>(many))));
            at += static_cast<std::int64_t>(positions.size());
        }
        published_per_second_ = static_cast<double>(count) / watch.seconds();
        bus->close();
        return {};
    }

    Result<Sample> measure(const Case& one, const std::string& stream, std::int64_t events, int round) {
        progress("bus: " + one.name + ", round " + std::to_string(round + 1));
        forget_memory();
        Sample sample;
        sample.events = events;
        std::unique_ptr<events::Bus> bus;
        std::unique_ptr<BusEngine> engine;
        if (one.reader != Reader::Bare) {
            WEIR_ASSIGN(opened, side_.open(stream));
            bus = std::move(opened);
        }
        if (one.reader == Reader::Engine) {
            WEIR_ASSIGN(opened,
                        BusEngine::open(folder_ + "/" + one.name + std::to_string(round), {one.trigger}));
            engine = std::move(opened);
        }
        const Stopwatch watch;
        const auto cpu = cpu_of_this_process(), server = cpu_of(side_.server_pid());
        switch (one.reader) {
            case Reader::Bare: WEIR_TRY(side_.bare(stream, events)); break;
            case Reader::Adapter: WEIR_TRY(read_all(*bus, events, sample.memory)); break;
            case Reader::Engine: WEIR_TRY(drain(*engine, *bus, one, sample)); break;
        }
        sample.seconds = watch.seconds();
        sample.cpu = cpu_of_this_process() - cpu;
        sample.server_cpu = cpu_of(side_.server_pid()) - server;
        sample.peak_mb = megabytes("VmHWM");
        engine.reset();
        if (bus) bus->close();
        if (one.reader == Reader::Engine && !options_.keep) {
            std::error_code ignored;
            std::filesystem::remove_all(folder_ + "/" + one.name + std::to_string(round), ignored);
        }
        return sample;
    }

    [[nodiscard]] double published_per_second() const { return published_per_second_; }

  private:
    static Status read_all(events::Bus& bus, std::int64_t events, Memory& memory) {
        WEIR_ASSIGN(streams, bus.streams());
        const auto stream = streams.front().name;
        Loop news;
        bus.on_append([&news] { news.wake(); });
        SystemClock clock;
        const auto until = clock.steady_now() + case_within;
        Position at(0);
        Status status;
        for (std::int64_t got = 0; got < events && status.ok();) {
            const auto reading = bus.read(stream, at, 1000, 8 * 1024 * 1024);
            if (!reading.ok()) {
                status = reading.error();
            } else if (reading->arrivals.empty()) {
                if (clock.steady_now() > until) status = unavailable("the adapter read nothing more");
                (void)news.run_until(clock.steady_now() + std::chrono::milliseconds(100));
            } else {
                got += static_cast<std::int64_t>(reading->arrivals.size());
                memory.look(got, events);
            }
            if (reading.ok()) at = reading->upto;
        }
        bus.on_append({});
        return status;
    }

    static Status drain(BusEngine& engine, events::Bus& bus, const Case& one, Sample& sample) {
        const auto events = sample.events;
        sample.memory.look(0, events);
        WEIR_TRY(engine.start(bus));
        const auto done = [&] {
            sample.memory.look(std::min(engine.counters().arrivals, events - 1), events);
            return engine.drained(events, one.launches ? events : 0);
        };
        WEIR_TRY(engine.run(done, case_within));
        sample.memory.look(events, events);
        const auto& counters = engine.counters();
        sample.recorded = counters.recorded;
        sample.decisions = counters.decisions;
        sample.commits = counters.commits;
        const auto wanted = (events * one.decided_percent + 99) / 100;
        if (counters.arrivals != events || counters.decisions != wanted)
            return internal(one.name + ": of " + std::to_string(events) + " events " +
                            std::to_string(counters.arrivals) + " were read, " +
                            std::to_string(counters.decisions) + " decided; expected " +
                            std::to_string(wanted));
        if (one.launches && counters.launches != events)
            return internal(one.name + ": " + std::to_string(counters.launches) + " of " +
                            std::to_string(events) + " runs were launched");
        return {};
    }

    const Options& options_;
    std::string folder_;
    BusSide& side_;
    double published_per_second_ = 0;
};

/// To so many digits behind the point.
double rounded(double value, int digits) {
    const auto scale = std::pow(10, digits);
    return std::round(value * scale) / scale;
}

Report report_of(const Case& one, const std::vector<Sample>& samples, const std::vector<Sample>& bare,
                 bool server_known) {
    const auto of = [&samples](auto value) {
        std::vector<double> all;
        for (const auto& sample : samples)
            all.push_back(value(sample));
        return median(all);
    };
    const auto rate = [](const Sample& s) { return static_cast<double>(s.events) / s.seconds; };
    // Each round beside the bare client of the same round: the load of other programs is then alike.
    std::vector<double> ratios, cpu_ratios;
    for (std::size_t i = 0; i < samples.size() && i < bare.size(); ++i) {
        ratios.push_back(rate(samples[i]) / rate(bare[i]));
        const auto each = [](const Sample& s) {
            return (s.cpu + s.server_cpu) / static_cast<double>(s.events);
        };
        cpu_ratios.push_back(each(bare[i]) / each(samples[i]));
    }
    const auto& last = samples.back();
    Report out{{"case", one.name}, {"what", one.what}, {"events", last.events}};
    if (!one.goal.empty()) out["goal"] = one.goal;
    out["events_per_second"] = static_cast<std::int64_t>(of(rate));
    out["seconds_to_drain"] = rounded(of([](const Sample& s) { return s.seconds; }), 3);
    if (!ratios.empty()) {
        out["ratio_to_bare"] = rounded(median(ratios), 3);
        out["ratio_to_bare_by_cpu"] = rounded(median(cpu_ratios), 3);
    }
    out["cpu_us_per_event"] =
        rounded(of([](const Sample& s) { return s.cpu * 1e6 / static_cast<double>(s.events); }), 2);
    if (server_known)
        out["server_cpu_us_per_event"] = rounded(
            of([](const Sample& s) { return s.server_cpu * 1e6 / static_cast<double>(s.events); }), 2);
    out["peak_rss_mb"] = rounded(of([](const Sample& s) { return s.peak_mb; }), 1);
    if (!last.memory.megabytes_at.empty()) {
        out["rss_mb_at_0_25_50_75_100_percent"] = Report::array();
        for (const auto megabytes : last.memory.megabytes_at)
            out["rss_mb_at_0_25_50_75_100_percent"].push_back(rounded(megabytes, 1));
    }
    if (one.reader == Reader::Engine) {
        out["recorded"] = last.recorded;
        out["decisions"] = last.decisions;
        out["commits"] = last.commits;
    }
    return out;
}

} // namespace

Result<Report> run_bus(const Options& options) {
    WEIR_ASSIGN(folder, WorkFolder::make(options));
    progress("bus: starting " + options.bus);
    WEIR_ASSIGN(side, open_bus_side(options, folder.path()));
    BusBench bench(options, folder.path(), *side);
    const auto mark = std::filesystem::path(folder.path()).filename().string();
    const auto many = mark + "-all", few = mark + "-few";
    const auto launched = std::clamp<std::int64_t>(options.events / 10, 10, 100'000);
    const auto wanted = [&](const std::string& name) {
        return options.only.empty() ||
               std::find(options.only.begin(), options.only.end(), name) != options.only.end();
    };
    WEIR_TRY(bench.publish(many, options.events));
    const auto publish_rate = bench.published_per_second();
    if (wanted("all_launched")) WEIR_TRY(bench.publish(few, launched));

    std::map<std::string, std::vector<Sample>> samples;
    for (int round = 0; round < options.rounds; ++round)
        for (const auto& one : cases()) {
            if (!wanted(one.name)) continue;
            WEIR_ASSIGN(sample, bench.measure(one, one.launches ? few : many,
                                              one.launches ? launched : options.events, round));
            samples[one.name].push_back(std::move(sample));
        }

    Report out;
    out["what"] =
        "events that stand on the broker already, read from the first one, until the last one is "
        "decided and durable; bare client and weir by turns, in the same run";
    out["bus"] = side->facts();
    out["keeping_policy"] =
        "SQLite ledger, WAL, synchronous=FULL, fresh for each case; commits of at most "
        "1,000 inputs; payloads kept; null backend in memory";
    out["workload"] = "256 bytes of JSON data, binary CloudEvents headers, one stream";
    out["rounds"] = options.rounds;
    out["published_per_second_by_the_adapter"] = static_cast<std::int64_t>(publish_rate);
    out["cases"] = Report::array();
    for (const auto& one : cases())
        if (!samples[one.name].empty())
            out["cases"].push_back(
                report_of(one, samples[one.name], samples["bare"], side->server_pid() != 0));
    if (wanted("latency")) {
        double rate = 10'000;
        if (const auto& decided = samples["all_decided"]; !decided.empty()) {
            std::vector<double> rates;
            for (const auto& sample : decided)
                rates.push_back(static_cast<double>(sample.events) / sample.seconds);
            rate = median(rates) / 2;
        }
        WEIR_ASSIGN(latency, measure_bus_latency(*side, folder.path(), mark, rate, make_events));
        out["latency"] = std::move(latency);
    }
    out["load_at_the_end"] = machine_facts()["load"];
    return out;
}

} // namespace weir::bench
