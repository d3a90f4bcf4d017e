#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>

/// weir-bench: how fast, on this machine, with what it kept, and where the time goes. No test asserts a time.
namespace weir::bench {

using Report = nlohmann::ordered_json;

struct Options {
    std::string mode;
    std::string dir;   ///< where files go; a fresh folder in it is made and removed
    bool keep = false; ///< leave the files
    std::int64_t triggers = 10'000;
    std::int64_t events = 20'000;
    std::int64_t runs = 1'000'000;
    int rounds = 5; ///< each figure is the median of so many
    std::uint64_t seed = 7;
    std::string bus = "embedded";  ///< bus: nats, kafka, embedded
    std::string version;           ///< bus: of the server that is started
    std::string url;               ///< bus: a server that runs already
    std::vector<std::string> only; ///< bus: these cases; empty: all
};

/// A deterministic source of numbers (SplitMix64): the same seed gives the same workload on every machine.
class Numbers {
  public:
    explicit Numbers(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }
    /// 0 to n - 1.
    std::int64_t below(std::int64_t n) {
        return static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(n));
    }
    /// True for `percent` of the calls.
    bool percent(int percent) { return below(100) < percent; }

  private:
    std::uint64_t state_;
};

/// Seconds on the machine's steady clock.
class Stopwatch {
  public:
    Stopwatch() : start_(clock_.steady_now()) {}
    [[nodiscard]] double seconds() const {
        return std::chrono::duration<double>(clock_.steady_now() - start_).count();
    }

  private:
    SystemClock clock_;
    SteadyInstant start_;
};

/// Seconds of processor time of this thread: tells of the work whatever else the machine does.
class CpuWatch {
  public:
    CpuWatch() : start_(now()) {}
    [[nodiscard]] double seconds() const { return now() - start_; }

  private:
    static double now();
    double start_;
};

/// median, p95, p99, p99.9 (of 1,000 or more), max of `values` under the names of `unit`: {"p50_us": ...}.
/// Sorts them.
Report spread(std::vector<double> values, const std::string& unit);
double median(std::vector<double> values);

/// Processor, cores, memory, kernel, load, compiler, how this binary was built.
Report machine_facts();
/// Median and spread of writing 4 KiB and fdatasync in `dir`, in microseconds: what every durable step costs
/// here.
Result<Report> measure_fsync(const std::string& dir, int times);

/// A fresh folder below `dir`, removed at the end unless asked to stay.
class WorkFolder {
  public:
    static Result<WorkFolder> make(const Options& options);
    WorkFolder(WorkFolder&& other) noexcept : path_(std::move(other.path_)), keep_(other.keep_) {
        other.path_.clear();
    }
    WorkFolder& operator=(WorkFolder&&) = delete;
    ~WorkFolder();
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    WorkFolder(std::string path, bool keep) : path_(std::move(path)), keep_(keep) {}
    std::string path_;
    bool keep_;
};

/// Says what is being done, on standard error, so that a long preparation is no silence.
void progress(const std::string& text);

Result<Report> run_filter(const Options& options);
Result<Report> run_lineage(const Options& options);
Result<Report> run_decide(const Options& options);
Result<Report> run_latency(const Options& options);
Result<Report> run_bus(const Options& options);
#ifdef WEIR_WITH_KUBEFLOW
Result<Report> run_kubeflow_launch(const Options& options);
Result<Report> run_kubeflow_watch(const Options& options);
#endif

} // namespace weir::bench
