// Measures joins that hold many events: triggers-join-bench [EVENTS] [JOINS]. Each event waits under a key of
// its own for a second one; then the second ones come. Rates are by CPU time. Prints one JSON object, asserts
// nothing.

#include <malloc.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <weir/triggers/join.hpp>

using namespace weir;
using namespace weir::triggers;

namespace {

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// What the program has allocated and not freed. The peak of resident memory would hide behind what was freed
/// before.
long heap_bytes() {
    const auto info = mallinfo2();
    return static_cast<long>(info.uordblks + info.hblkhd);
}

} // namespace

int main(int argc, char** argv) {
    const int events = argc > 1 ? std::atoi(argv[1]) : 1'000'000;
    const int joins = argc > 2 ? std::atoi(argv[2]) : 1;
    When when;
    when.kind = When::Kind::All;
    when.within = std::chrono::hours(6);
    for (const auto* name : {"a", "b"}) {
        Leaf leaf;
        leaf.name = name;
        when.leaves.push_back(leaf);
        when.keys.emplace_back(Expression{"event.data.date", {}});
    }
    std::vector<Join> all;
    for (int i = 0; i < joins; ++i)
        all.emplace_back(when);
    const auto key = [](int i) { return "s:2026-11-21/" + std::to_string(i); };
    const auto offer = [&](int i, int leaf) {
        const std::vector<LeafHit> hits{{leaf, key(i)}};
        return all[static_cast<std::size_t>(i % joins)].offer(Seq(leaf * events + i + 1),
                                                              from_ns(leaf * events + i), hits);
    };
    const auto heap = heap_bytes();
    const auto start = cpu_seconds();
    for (int i = 0; i < events; ++i)
        offer(i, 0);
    const auto held = cpu_seconds();
    const auto heap_held = heap_bytes();
    std::size_t firings = 0;
    for (int i = 0; i < events; ++i)
        firings += offer(i, 1).firings.size();
    const auto fired = cpu_seconds();
    std::printf(
        "{\"held\": %d, \"joins\": %d, \"bytes_per_held\": %ld, \"hold_per_second\": %.0f, "
        "\"fire_per_second\": %.0f, "
        "\"firings\": %zu}\n",
        events, joins, (heap_held - heap) / events, events / (held - start), events / (fired - held),
        firings);
    return 0;
}
