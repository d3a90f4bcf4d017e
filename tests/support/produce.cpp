// Publishes events with unique ids to a real bus, and writes down each id once its bus acknowledged it.
//
//   produce --kind nats|kafka --url URL --stream NAME --acked FILE [--partitions N] [--keys N] [--rate N]
//   [--batch N]
//           [--seed N] [--mode binary|structured]
//
// Events have the type "loop.event", the source "/bus-loop", the key as subject, the id KEY-N with N from 1
// on for each key, and the data {"key": KEY, "n": N}. A batch that failed is published again, the same, until
// it succeeds; then its ids are appended to FILE, a line each, and fsynced. When stdin ends, the batch at
// hand is brought to its end and the program ends with 0; with 1, if the bus refuses it or does not take it
// within two minutes.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <weir/base/clock.hpp>
#include <weir/events/bus.hpp>
#ifdef WEIR_WITH_KAFKA
#include <weir/events/kafka_bus.hpp>
#endif
#ifdef WEIR_WITH_NATS
#include <weir/events/nats_bus.hpp>
#endif

namespace {

using namespace std::chrono_literals;
using weir::events::Bus;
using weir::events::Event;
using weir::events::MessageMode;
using Steady = std::chrono::steady_clock;

constexpr auto retry_pause = 20ms;
constexpr auto last_batch_max = 120s;

struct Settings {
    std::map<std::string, std::string> words{{"partitions", "3"}, {"keys", "8"}, {"rate", "100"},
                                             {"batch", "10"},     {"seed", "1"}, {"mode", "binary"}};
    [[nodiscard]] const std::string& text(const std::string& name) const { return words.at(name); }
    [[nodiscard]] int number(const std::string& name) const { return std::stoi(words.at(name)); }
    [[nodiscard]] MessageMode mode() const {
        return text("mode") == "structured" ? MessageMode::Structured : MessageMode::Binary;
    }
};

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "produce: %s\n", why.c_str());
    std::exit(1);
}

Settings read_settings(int count, char** arguments) {
    Settings settings;
    for (int i = 1; i < count; i += 2) {
        const std::string_view name = arguments[i];
        if (name.substr(0, 2) != "--" || i + 1 == count) fail("wants --NAME VALUE pairs");
        settings.words[std::string(name.substr(2))] = arguments[i + 1];
    }
    for (const auto* wanted : {"kind", "url", "stream", "acked"})
        if (!settings.words.contains(wanted)) fail(std::string("wants --") + wanted);
    return settings;
}

std::unique_ptr<Bus> open_bus(const Settings& settings) {
#ifdef WEIR_WITH_NATS
    if (settings.text("kind") == "nats") {
        weir::events::NatsBusOptions options;
        options.urls = {settings.text("url")};
        options.mode = settings.mode();
        options.publish_subject = settings.text("stream");
        weir::events::NatsStreamOptions stream;
        stream.stream = settings.text("stream");
        stream.create.emplace();
        stream.create->subjects = {settings.text("stream") + ".>"};
        options.streams = {stream};
        auto bus = weir::events::open_nats_bus(options);
        if (!bus.ok()) fail(bus.error().message);
        return std::move(bus).value();
    }
#endif
#ifdef WEIR_WITH_KAFKA
    if (settings.text("kind") == "kafka") {
        weir::events::KafkaBusOptions options;
        options.brokers = {settings.text("url")};
        options.mode = settings.mode();
        weir::events::KafkaTopicOptions topic;
        topic.topic = settings.text("stream");
        topic.create.emplace();
        topic.create->partitions = settings.number("partitions");
        options.topics = {topic};
        static const weir::SystemClock clock; // outlives the bus
        auto bus = weir::events::open_kafka_bus(clock, options);
        if (!bus.ok()) fail(bus.error().message);
        return std::move(bus).value();
    }
#endif
    fail("was built without the bus '" + settings.text("kind") + "'");
}

/// The file of acknowledged ids.
class Acknowledged {
  public:
    explicit Acknowledged(const std::string& path)
        : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
        if (fd_ < 0) fail(path + ": " + std::strerror(errno));
    }
    Acknowledged(const Acknowledged&) = delete;
    Acknowledged& operator=(const Acknowledged&) = delete;
    ~Acknowledged() { ::close(fd_); }

    void add(const std::vector<Event>& events) const {
        std::string lines;
        for (const auto& event : events)
            lines += event.id + "\n";
        if (::write(fd_, lines.data(), lines.size()) != static_cast<ssize_t>(lines.size()) ||
            ::fdatasync(fd_) != 0)
            fail(std::string("cannot write down what was acknowledged: ") + std::strerror(errno));
    }

  private:
    int fd_;
};

bool stdin_ended() {
    pollfd in{STDIN_FILENO, POLLIN, 0};
    char byte = 0;
    return ::poll(&in, 1, 0) > 0 && ::read(STDIN_FILENO, &byte, 1) == 0;
}

/// The next events: keys by chance, the numbers of each key without a gap.
std::vector<Event> next_batch(std::mt19937& chance, std::vector<int>& numbers, int batch_max) {
    std::vector<Event> events(
        std::uniform_int_distribution<std::size_t>(1, static_cast<std::size_t>(batch_max))(chance));
    for (auto& event : events) {
        const auto key = std::uniform_int_distribution<std::size_t>(0, numbers.size() - 1)(chance);
        const auto name = "k" + std::to_string(key);
        const auto number = std::to_string(++numbers[key]);
        event.id = name + "-" + number;
        event.source = "/bus-loop";
        event.type = "loop.event";
        event.subject = name;
        event.data_kind = weir::events::DataKind::Json;
        event.data = R"({"key":")" + name + R"(","n":)" + number + "}";
    }
    return events;
}

int produce(const Settings& settings) {
    const auto bus = open_bus(settings);
    // A bus makes its streams when it is asked for them.
    for (auto streams = bus->streams(); !streams.ok() || streams->empty(); streams = bus->streams()) {
        if (!streams.ok() && !weir::retryable(streams.error().kind)) fail(streams.error().message);
        if (stdin_ended()) fail("no stream: " + (streams.ok() ? "there is none" : streams.error().message));
        std::this_thread::sleep_for(retry_pause);
    }
    const Acknowledged acknowledged(settings.text("acked"));
    std::mt19937 chance(static_cast<std::uint32_t>(settings.number("seed")));
    std::vector<int> numbers(static_cast<std::size_t>(settings.number("keys")));
    std::size_t sent = 0;
    std::size_t repeats = 0;
    auto next = Steady::now();
    while (!stdin_ended()) {
        const auto events = next_batch(chance, numbers, settings.number("batch"));
        std::optional<Steady::time_point> ended;
        for (;;) {
            const auto positions = bus->publish("", events);
            if (positions.ok()) break;
            if (!weir::retryable(positions.error().kind) &&
                positions.error().kind != weir::ErrorKind::NotFound)
                fail(positions.error().message);
            ++repeats;
            if (!ended && stdin_ended()) ended = Steady::now();
            if (ended && Steady::now() - *ended > last_batch_max)
                fail("the last batch: " + positions.error().message);
            std::this_thread::sleep_for(retry_pause);
        }
        acknowledged.add(events);
        sent += events.size();
        // The rate is kept from here on: after an outage nothing is made up for.
        next = std::max(next + std::chrono::microseconds(1'000'000) * static_cast<int>(events.size()) /
                                   settings.number("rate"),
                        Steady::now());
        std::this_thread::sleep_until(next);
    }
    bus->close();
    std::printf("%zu events, %zu batches published again\n", sent, repeats);
    return 0;
}

} // namespace

int main(int count, char** arguments) {
    try {
        return produce(read_settings(count, arguments));
    } catch (const std::exception& error) {
        fail(error.what());
    }
}
