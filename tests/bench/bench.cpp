#include "bench.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <weir/base/digest.hpp>

namespace weir::bench {
namespace {

std::string line_of(const char* file, const std::string& key) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        if (line.rfind(key, 0) != 0) continue;
        const auto colon = line.find(':');
        if (colon == std::string::npos) return line;
        const auto start = line.find_first_not_of(" \t", colon + 1);
        return start == std::string::npos ? std::string() : line.substr(start);
    }
    return {};
}

double at(const std::vector<double>& sorted, double share) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
    return sorted[std::min(sorted.size() - 1, rank == 0 ? 0 : rank - 1)];
}

double rounded(double value) {
    return std::round(value * 100) / 100;
}

} // namespace

double CpuWatch::now() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

Report spread(std::vector<double> values, const std::string& unit) {
    Report out;
    if (values.empty()) return out;
    std::sort(values.begin(), values.end());
    out["p50_" + unit] = rounded(at(values, 0.5));
    out["p95_" + unit] = rounded(at(values, 0.95));
    out["p99_" + unit] = rounded(at(values, 0.99));
    if (values.size() >= 1000) out["p99.9_" + unit] = rounded(at(values, 0.999));
    out["max_" + unit] = rounded(values.back());
    out["samples"] = values.size();
    return out;
}

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return at(values, 0.5);
}

Report machine_facts() {
    Report out;
    out["cpu"] = line_of("/proc/cpuinfo", "model name");
    out["cores"] = std::thread::hardware_concurrency();
    out["memory"] = line_of("/proc/meminfo", "MemTotal");
    std::string load;
    std::getline(std::ifstream("/proc/loadavg") >> std::ws, load);
    out["load"] = load;
    utsname name{};
    if (::uname(&name) == 0) out["kernel"] = std::string(name.sysname) + " " + name.release;
    out["compiler"] = __VERSION__;
#ifdef __OPTIMIZE__
    out["optimised"] = true;
#else
    out["optimised"] = false;
#endif
    return out;
}

Result<Report> measure_fsync(const std::string& dir, int times) {
    const auto path = dir + "/fsync-probe";
    const int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return unavailable("cannot write " + path);
    const std::string page(4096, 'x');
    std::vector<double> micros;
    bool ok = true;
    for (int i = 0; i < times && ok; ++i) {
        const Stopwatch watch;
        ok = ::write(fd, page.data(), page.size()) == static_cast<ssize_t>(page.size()) &&
             ::fdatasync(fd) == 0;
        micros.push_back(watch.seconds() * 1e6);
    }
    ::close(fd);
    ::unlink(path.c_str());
    if (!ok) return unavailable("cannot write and sync " + path);
    return spread(std::move(micros), "us");
}

Result<WorkFolder> WorkFolder::make(const Options& options) {
    const auto name = "weir-bench-" + to_hex(sha256(random_bytes(16))).substr(0, 12);
    std::error_code error;
    const auto path = std::filesystem::path(options.dir) / name;
    std::filesystem::create_directories(path, error);
    if (error) return unavailable("cannot make the folder " + path.string() + ": " + error.message());
    return WorkFolder(path.string(), options.keep);
}

WorkFolder::~WorkFolder() {
    if (path_.empty() || keep_) return;
    std::error_code error;
    std::filesystem::remove_all(path_, error);
}

void progress(const std::string& text) {
    std::fprintf(stderr, "weir-bench: %s\n", text.c_str());
}

} // namespace weir::bench
